package transfer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"watchpost/engine/config"
	"watchpost/mail/transfer/transfertest"
)

// A server without posix-rename, fsync and statvfs has the old file removed first.
func TestSFTPServerThatDoesNotReplace(t *testing.T) {
	s, prints := transfertest.SSHD(t, "Subsystem sftp internal-sftp -P posix-rename,fsync,statvfs", "ed25519")
	ses := connected(t, newSFTP(s.AtSFTP(prints["ed25519"]), serverPassword))
	exchangeSFTP(t, s, ses)
	f, _ := image("x.jpg", 400_000, 1)
	f.dir = "full"
	_, err := ses.put(t.Context(), f)
	if flt := asFault(t, err); flt.kind != temporary || flt.step != "send" {
		t.Errorf("%+v", flt)
	}
}

// sftpLiar is an SSH server that lets everybody in and then misbehaves.
type sftpLiar struct {
	t        *testing.T
	key      ssh.Signer
	ln       net.Listener
	raw      func(c net.Conn) // instead of SSH
	password func(p []byte) (*ssh.Permissions, error)
	asks     []string            // questions, one after the other
	channel  func(c ssh.Channel) // instead of SFTP
	puts     func(h sftp.FileWriter) sftp.FileWriter
	size     int64 // what every file is said to have; 0: the truth
	reached  chan bool
	ended    chan struct{}

	mu  sync.Mutex
	all []net.Conn
}

func (l *sftpLiar) start(t *testing.T) *sftpLiar {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	l.key, err = ssh.NewSignerFromKey(key)
	must(t, err)
	l.ln, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l.t, l.reached, l.ended = t, make(chan bool, 100_000), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.ln.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			l.all = append(l.all, c)
			l.mu.Unlock()
			running.Go(func() { defer c.Close(); l.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.ln.Close()
		close(l.ended)
		l.mu.Lock()
		for _, c := range l.all {
			c.Close()
		}
		l.mu.Unlock()
		running.Wait()
	})
	return l
}

func (l *sftpLiar) at() config.Transfer {
	return config.Transfer{Name: "liar", Kind: "sftp", Server: "127.0.0.1", Port: l.ln.Addr().(*net.TCPAddr).Port, Username: serverUser,
		HostKey: ssh.FingerprintSHA256(l.key.PublicKey())}
}

func (l *sftpLiar) serve(c net.Conn) {
	if l.raw != nil {
		l.raw(c)
		return
	}
	conf := &ssh.ServerConfig{}
	conf.PasswordCallback = func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) { return nil, nil }
	if l.password != nil {
		conf.PasswordCallback = func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) { return l.password(p) }
	}
	if l.asks != nil {
		conf.PasswordCallback = nil
		conf.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			for _, q := range l.asks {
				if _, err := ask("", "", []string{q}, []bool{false}); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}
	}
	conf.AddHostKey(l.key)
	conn, channels, requests, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		channel, reqs, err := ch.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range reqs {
				r.Reply(r.Type == "subsystem", nil)
			}
		}()
		if l.channel != nil {
			l.channel(channel)
			channel.Close()
			continue
		}
		h := sftp.InMemHandler()
		if l.puts != nil {
			h.FilePut = l.puts(h.FilePut)
		}
		if l.size != 0 {
			h.FileList = sizes{h.FileList, l.size}
		}
		s := sftp.NewRequestServer(channel, h)
		s.Serve()
		s.Close()
	}
}

type sizes struct {
	sftp.FileLister
	size int64
}

func (s sizes) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	l, err := s.FileLister.Filelist(r)
	return wrongSizes{l, s.size}, err
}

type wrongSizes struct {
	sftp.ListerAt
	size int64
}

func (w wrongSizes) ListAt(to []os.FileInfo, at int64) (int, error) {
	n, err := w.ListerAt.ListAt(to, at)
	for i := range to[:n] {
		to[i] = wrongSize{to[i], w.size}
	}
	return n, err
}

type wrongSize struct {
	os.FileInfo
	size int64
}

func (w wrongSize) Size() int64 { return w.size }

// stalled is a file that takes the first bytes and then no more.
type stalled struct {
	l *sftpLiar
	f func() error
}

func (s stalled) Filewrite(*sftp.Request) (io.WriterAt, error) { return s, nil }
func (s stalled) WriteAt(p []byte, at int64) (int, error) {
	if at < 100_000 {
		return len(p), nil
	}
	s.l.reached <- true
	return 0, s.f()
}

func hold(l *sftpLiar) func(sftp.FileWriter) sftp.FileWriter {
	return func(sftp.FileWriter) sftp.FileWriter {
		return stalled{l, func() error { <-l.ended; return io.EOF }}
	}
}

func impatientSFTP(c config.Transfer) *sftpTarget {
	to := newSFTP(c, serverPassword).(*sftpTarget)
	to.patience = soon
	return to
}

// What no real server does on demand ends in a fault, in time, with harmless words.
func TestSFTPLies(t *testing.T) {
	quiet := &sftpLiar{raw: func(c net.Conn) { io.Copy(io.Discard, c) }}
	stall := &sftpLiar{}
	stall.puts = hold(stall)
	lost := &sftpLiar{}
	lost.puts = func(sftp.FileWriter) sftp.FileWriter {
		return stalled{lost, func() error {
			lost.mu.Lock()
			defer lost.mu.Unlock()
			for _, c := range lost.all {
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
			return io.EOF
		}}
	}
	for name, c := range map[string]struct {
		liar *sftpLiar
		kind kind
		step string
		says string
	}{
		"silence":           {quiet, network, "login", "timed out"},
		"garbage":           {&sftpLiar{raw: func(c net.Conn) { io.WriteString(c, "220 ftp\r\n"); io.Copy(io.Discard, c) }}, network, "login", ""},
		"endless garbage":   {&sftpLiar{raw: func(c net.Conn) { endless(c, "x\r\n") }}, network, "handshake", ""},
		"garbage in SSH":    {&sftpLiar{raw: func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n"); endless(c, "\xff\xfe") }}, network, "handshake", "does not speak SSH"},
		"closed at once":    {&sftpLiar{raw: func(c net.Conn) {}}, network, "login", "closed"},
		"second factor":     {&sftpLiar{asks: []string{"Password: ", "Code: "}}, account, "login", "more than a password"},
		"asked again":       {&sftpLiar{asks: []string{"Password: ", "Password: "}}, account, "login", "user name or password"},
		"SFTP silent":       {&sftpLiar{channel: func(c ssh.Channel) { io.Copy(io.Discard, c) }}, network, "login", "timed out"},
		"SFTP garbage":      {&sftpLiar{channel: func(c ssh.Channel) { io.WriteString(c, "welcome to this machine\r\n"); io.Copy(io.Discard, c) }}, account, "subsystem", "does not offer SFTP"},
		"stall in the data": {stall, network, "send", "timed out"},
		"reset in the data": {lost, network, "send", "closed"},
		"wrong size":        {&sftpLiar{size: 7}, temporary, "size", "has 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := c.liar.start(t)
			f, _ := image("a.jpg", 1<<20, 1)
			f.dir = ""
			flt := refusedWith(t, impatientSFTP(l.at()), f)
			t.Log(flt)
			if flt.kind != c.kind || flt.step != c.step || !strings.Contains(flt.Error(), c.says) {
				t.Errorf("kind %d, step %q: %v", flt.kind, flt.step, flt)
			}
		})
	}
}

func endless(c net.Conn, text string) {
	for {
		if _, err := io.WriteString(c, text+text+text+text+text+text+text+text); err != nil {
			return
		}
	}
}

// A session may rest for longer than a step may last, though the server asks whether it is there.
func TestSFTPRests(t *testing.T) {
	s, prints := transfertest.SSHD(t, "ClientAliveInterval 1", "ed25519")
	to := newSFTP(s.AtSFTP(prints["ed25519"]), serverPassword).(*sftpTarget)
	to.patience.command = 500 * time.Millisecond
	ses := connected(t, to)
	f, data := image("a.jpg", 1000, 1)
	for range 2 {
		if _, err := ses.put(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
	}
	hasFile(t, s.Home(f.dir), f.name, data)
}

// Whatever is waited for, the end of the context ends it.
func TestSFTPCancel(t *testing.T) {
	stall := &sftpLiar{}
	stall.puts = hold(stall)
	quiet := &sftpLiar{}
	quiet.raw = func(c net.Conn) { quiet.reached <- true; io.Copy(io.Discard, c) }
	silent := &sftpLiar{}
	silent.channel = func(c ssh.Channel) { silent.reached <- true; io.Copy(io.Discard, c) }
	for name, l := range map[string]*sftpLiar{"handshake": quiet, "SFTP": silent, "data": stall} {
		t.Run(name, func(t *testing.T) {
			l.start(t)
			f, _ := image("a.jpg", 1<<20, 1)
			f.dir = ""
			began := make(chan struct{})
			go func() { <-l.reached; close(began) }()
			cancelledSoon(t, began, func(ctx context.Context) error {
				s, err := newSFTP(l.at(), serverPassword).connect(ctx)
				if err != nil {
					return err
				}
				defer s.close()
				_, err = s.put(ctx, f)
				return err
			})
		})
	}
}

// A thousand attempts that fail in every way leave nothing open behind.
func TestSFTPLeaksNothing(t *testing.T) {
	var all []*sftpLiar
	for _, l := range []*sftpLiar{
		{raw: func(c net.Conn) {}}, {raw: func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n") }},
		{password: func([]byte) (*ssh.Permissions, error) { return nil, io.EOF }},
		{channel: func(ssh.Channel) {}}, {size: 7},
	} {
		all = append(all, l.start(t))
	}
	f, _ := image("a.jpg", 50_000, 1)
	f.dir = ""
	leaksNothing(t, 1000, func(i int) {
		c := all[i%len(all)].at()
		if i%10 == 9 {
			c.HostKey = "SHA256:other"
		}
		refusedWith(t, impatientSFTP(c), f)
	}, func() {
		for _, l := range all {
			l.mu.Lock()
			for _, c := range l.all {
				c.Close()
			}
			l.all = nil
			l.mu.Unlock()
		}
	})
}
