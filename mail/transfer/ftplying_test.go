package transfer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"watchpost/engine/config"
)

// liar is an FTP server in clear that takes a file properly, except for what its
// script says: by command, the reply instead, or "close"; "" says nothing. data is
// what it does with a data connection instead of reading it.
type liar struct {
	t        *testing.T
	greeting string
	script   map[string]string
	data     func(c *net.TCPConn)
	keeps    bool   // it replaces no file
	stall    bool   // it never reads it
	after    string // the reply to a file that was read; "-": none; default 226
	early    bool   // after comes before the data is read
	reached  chan string
	addr     *net.TCPAddr

	mu    sync.Mutex
	files map[string]string
	all   []net.Conn
	ended chan struct{}
}

func (l *liar) start(t *testing.T) *liar {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l.t, l.addr, l.files, l.ended = t, ln.Addr().(*net.TCPAddr), map[string]string{}, make(chan struct{})
	if l.reached == nil {
		l.reached = make(chan string, 10_000)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.keep(c)
			running.Go(func() { defer c.Close(); l.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
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

func (l *liar) keep(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, c)
}

func (l *liar) at() config.Transfer {
	return config.Transfer{Name: "liar", Kind: "ftp", Server: "127.0.0.1", Port: l.addr.Port, Username: serverUser, Security: "none"}
}

func (l *liar) serve(c net.Conn) {
	say := func(reply string) bool {
		switch reply {
		case "close":
			return false
		case "nothing":
			return true
		}
		if reply != "" {
			fmt.Fprint(c, reply+"\r\n")
		}
		return true
	}
	if l.greeting == "" {
		l.greeting = "220 ready"
	}
	if !say(l.greeting) {
		return
	}
	var ln net.Listener
	defer func() {
		if ln != nil {
			ln.Close()
		}
	}()
	rename := ""
	in := bufio.NewScanner(c)
	for in.Scan() {
		verb, arg, _ := strings.Cut(in.Text(), " ")
		select {
		case l.reached <- verb:
		default:
		}
		if reply, ok := l.script[verb]; ok && (verb != "STOR" || !strings.HasPrefix(reply, "1")) {
			if reply == "FLOOD" {
				for {
					if _, err := c.Write([]byte(strings.Repeat("220 x", 1000))); err != nil {
						return
					}
				}
			}
			reply = strings.ReplaceAll(reply, "PASSWORD", serverPassword)
			if verb == "PASV" && ln != nil {
				ln.Close()
			}
			if strings.Contains(reply, "PORT") {
				ln, _ = net.Listen("tcp", "127.0.0.1:0")
				p := ln.Addr().(*net.TCPAddr).Port
				reply = strings.ReplaceAll(reply, "PORT", fmt.Sprintf("%d,%d", p>>8, p&255))
			}
			if !say(reply) {
				return
			}
			continue
		}
		l.mu.Lock()
		reply := ""
		switch verb {
		case "USER":
			reply = "331 password"
		case "PASS":
			reply = "230 in"
		case "FEAT":
			reply = "211-\r\n SIZE\r\n EPSV\r\n211 end"
		case "TYPE", "PBSZ", "PROT":
			reply = "200 ok"
		case "MKD":
			reply = "257 made"
		case "SIZE":
			reply = "550 none"
			if f, ok := l.files[arg]; ok {
				reply = fmt.Sprint("213 ", len(f))
			}
		case "DELE":
			reply = "550 none"
			if _, ok := l.files[arg]; ok {
				delete(l.files, arg)
				reply = "250 gone"
			}
		case "RNFR":
			rename, reply = arg, "350 to what"
		case "RNTO":
			if reply = "553 exists"; !l.keeps || l.files[arg] == "" {
				l.files[arg] = l.files[rename]
				delete(l.files, rename)
				reply = "250 renamed"
			}
		case "EPSV":
			ln, _ = net.Listen("tcp", "127.0.0.1:0")
			reply = fmt.Sprintf("229 ok (|||%d|)", ln.Addr().(*net.TCPAddr).Port)
		case "QUIT":
			reply = "221 bye"
		case "STOR":
		default:
			reply = "502 no"
		}
		l.mu.Unlock()
		if verb != "STOR" {
			say(reply)
			continue
		}
		d, err := ln.Accept()
		ln.Close()
		if err != nil {
			return
		}
		l.keep(d)
		say("150 go on")
		after := l.after
		if after == "" {
			after = "226 done"
		}
		if l.early {
			say(after)
		}
		if l.stall {
			<-l.ended
		} else if l.data != nil {
			l.data(d.(*net.TCPConn))
		} else {
			all, _ := io.ReadAll(d)
			l.mu.Lock()
			l.files[arg] = string(all)
			l.mu.Unlock()
		}
		d.Close()
		if !l.early && after != "-" && !say(after) {
			return
		}
	}
}

// soon is a patience for servers that never answer.
var soon = patience{connect: 5 * time.Second, command: 2 * time.Second, progress: 2 * time.Second, linger: 100 * time.Millisecond}

func impatient(c config.Transfer) *ftpTarget {
	to := newFTP(c, serverPassword).(*ftpTarget)
	to.patience = soon
	return to
}

// An honest one is served, or the tests below would show nothing.
func TestFTPHonestScript(t *testing.T) {
	l := (&liar{}).start(t)
	f, data := image("a.jpg", 100_000, 1)
	said, err := connected(t, impatient(l.at())).put(t.Context(), f)
	if err != nil || said != "renamed" {
		t.Fatalf("%q %v", said, err)
	}
	if l.files["cam/20261124/a.jpg"] != string(data) || len(l.files) != 1 {
		t.Errorf("%d files", len(l.files))
	}
}

// What no real server does on demand ends in a fault, in time, with harmless words.
func TestFTPLies(t *testing.T) {
	for name, c := range map[string]struct {
		liar *liar
		kind kind
		step string
		says string
	}{
		"silence":                   {&liar{greeting: "nothing"}, network, "hello", "timed out"},
		"half a greeting":           {&liar{greeting: "220-wait"}, network, "hello", "220-wait"},
		"garbage":                   {&liar{greeting: "SSH-2.0-OpenSSH_9.2p1"}, network, "hello", "does not speak FTP"},
		"greeting never ends":       {&liar{greeting: "220-" + strings.Repeat("x", 70_000)}, network, "hello", "64 KiB"},
		"many lines":                {&liar{greeting: "220-a" + strings.Repeat("\r\n x", 40_000)}, network, "hello", "64 KiB"},
		"full":                      {&liar{greeting: "421 too many connections"}, network, "hello", "421 too many"},
		"not you":                   {&liar{greeting: "530 not you"}, account, "hello", "530 not you"},
		"user refused":              {&liar{script: map[string]string{"USER": "530 no such user"}}, account, "login", "530 no such user"},
		"password echoed":           {&liar{script: map[string]string{"PASS": "530 PASSWORD is wrong"}}, account, "login", "530 **** is wrong"},
		"password hidden in echo":   {&liar{script: map[string]string{"PASS": "530 s3cret-\u200bPa55word \x1b[31m"}}, account, "login", "530 ****"},
		"encryption wanted":         {&liar{script: map[string]string{"USER": "530 TLS required"}}, account, "login", "encrypted"},
		"wants an account":          {&liar{script: map[string]string{"PASS": "332 account"}}, account, "login", "account"},
		"closed at login":           {&liar{script: map[string]string{"PASS": "close"}}, network, "login", "closed"},
		"login never answered":      {&liar{script: map[string]string{"PASS": ""}}, network, "login", "timed out"},
		"escape sequences":          {&liar{script: map[string]string{"PASS": "530 \x1b]0;evil\x07\u202e\u009b2Jno"}}, account, "login", "530 ]0;evil"},
		"reply never ends":          {&liar{script: map[string]string{"SIZE": "FLOOD"}}, network, "size", "64 KiB"},
		"no data connection":        {&liar{script: map[string]string{"EPSV": "229 (|||1|)"}}, network, "data", "127.0.0.1:1"},
		"no passive mode":           {&liar{script: map[string]string{"EPSV": "500 no", "PASV": "227 what"}}, network, "send", ""},
		"port out of range":         {&liar{script: map[string]string{"EPSV": "229 (|||99999|)"}}, network, "data", "99999"},
		"425":                       {&liar{script: map[string]string{"STOR": "425 no"}}, network, "send", "425"},
		"450":                       {&liar{script: map[string]string{"STOR": "450 busy"}}, temporary, "send", "450"},
		"452":                       {&liar{script: map[string]string{"STOR": "452 full"}}, temporary, "send", "disk is full"},
		"552":                       {&liar{script: map[string]string{"STOR": "552 too much"}}, account, "send", "quota"},
		"550":                       {&liar{script: map[string]string{"STOR": "550 denied"}}, permanent, "send", "denied"},
		"553":                       {&liar{script: map[string]string{"STOR": "553 name"}}, permanent, "send", "553"},
		"553 quota":                 {&liar{script: map[string]string{"STOR": "553 Quota exceeded"}}, account, "send", "room"},
		"530 in the middle":         {&liar{script: map[string]string{"STOR": "530 not logged in"}}, account, "send", "530"},
		"421 in the middle":         {&liar{script: map[string]string{"STOR": "421 idle too long"}}, network, "send", "421"},
		"full while it is written":  {&liar{after: "452 full"}, temporary, "send", "disk is full"},
		"226 never comes":           {&liar{after: "-"}, network, "send", "timed out"},
		"226 before data is read":   {&liar{early: true, data: func(*net.TCPConn) {}}, network, "send", ""},
		"226, and nothing is there": {&liar{data: func(c *net.TCPConn) { io.Copy(io.Discard, c) }}, temporary, "size", "does not say that it has any"},
		"wrong size":                {&liar{script: map[string]string{"SIZE": "213 7"}}, temporary, "size", "has 7"},
		"size too large":            {&liar{script: map[string]string{"SIZE": "213 9999999"}}, temporary, "size", "has 9999999"},
		"stall in the data":         {&liar{stall: true, after: "-"}, network, "send", "timed out"},
		"reset in the data":         {&liar{data: func(c *net.TCPConn) { io.ReadFull(c, make([]byte, 1000)); c.SetLinger(0); c.Close() }, after: "426 broken"}, network, "send", "426"},
		"reset, then silence":       {&liar{data: func(c *net.TCPConn) { io.ReadFull(c, make([]byte, 1000)); c.SetLinger(0); c.Close() }, after: "-"}, network, "send", ""},
		"rename refused":            {&liar{script: map[string]string{"RNFR": "550 not allowed"}}, permanent, "rename", "renamed"},
		"rename, no overwriting":    {&liar{script: map[string]string{"RNTO": "553 exists"}}, permanent, "rename", "553 exists"},
		"rename never answered":     {&liar{script: map[string]string{"RNTO": ""}}, network, "rename", "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := c.liar.start(t)
			f, _ := image("a.jpg", 2<<20, 1) // more than lies in buffers
			flt := refusedWith(t, impatient(l.at()), f)
			t.Log(flt)
			if flt.kind != c.kind || flt.step != c.step || !strings.Contains(flt.Error(), c.says) {
				t.Errorf("kind %d, step %q: %v", flt.kind, flt.step, flt)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if _, ok := l.files["cam/20261124/a.jpg"]; ok {
				t.Error("it is there under its name")
			}
		})
	}
}

// A data connection goes to the host of the control connection, whatever the server names.
func TestFTPPasvToAnotherHost(t *testing.T) {
	l := (&liar{script: map[string]string{"EPSV": "500 no", "PASV": "227 Entering Passive Mode (192,0,2,7,PORT)"}}).start(t)
	f, data := image("a.jpg", 100_000, 1)
	if _, err := connected(t, impatient(l.at())).put(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if l.files["cam/20261124/a.jpg"] != string(data) {
		t.Error("not there")
	}
}

// Where EPSV leads nowhere, as behind some routers, the next session uses PASV.
func TestFTPEpsvBlocked(t *testing.T) {
	l := (&liar{script: map[string]string{"EPSV": "229 (|||1|)", "PASV": "227 (127,0,0,1,PORT)"}}).start(t)
	to := impatient(l.at())
	f, data := image("a.jpg", 100_000, 1)
	if _, err := connected(t, to).put(t.Context(), f); asFault(t, err).step != "data" {
		t.Error(err)
	}
	if _, err := connected(t, to).put(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if l.files["cam/20261124/a.jpg"] != string(data) {
		t.Error("not there")
	}
}

// A server that replaces no file has the old one removed first.
func TestFTPServerThatDoesNotReplace(t *testing.T) {
	l := (&liar{keeps: true}).start(t)
	l.files["cam/20261124/a.jpg"] = "old"
	f, data := image("a.jpg", 1000, 1)
	if _, err := connected(t, impatient(l.at())).put(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if l.files["cam/20261124/a.jpg"] != string(data) || len(l.files) != 1 {
		t.Errorf("not replaced: %d files", len(l.files))
	}
}

// Where TLS is wanted, nothing is said in clear, whatever the server does.
func TestFTPNeverFallsBackToClear(t *testing.T) {
	for name, reply := range map[string]string{"not offered": "502 no", "not now": "421 later", "injected": "234 go\r\n331 go on in clear", "no TLS": "234 go", "closed": "close"} {
		for _, security := range []string{"", "auto", "starttls"} {
			t.Run(name+" "+security, func(t *testing.T) {
				t.Parallel()
				l := (&liar{script: map[string]string{"AUTH": reply}}).start(t)
				c := l.at()
				c.Security = security
				f, _ := image("a.jpg", 1000, 1)
				if flt := refusedWith(t, impatient(c), f); flt.step != "tls" || name != "not now" && name != "closed" && name != "no TLS" && flt.kind != account {
					t.Errorf("kind %d, step %s: %v", flt.kind, flt.step, flt)
				}
				for len(l.reached) > 0 {
					if verb := <-l.reached; verb == "USER" || verb == "PASS" {
						t.Errorf("%s in clear", verb)
					}
				}
			})
		}
	}
}

// Whatever is waited for, the end of the context ends it.
func TestFTPCancel(t *testing.T) {
	for name, c := range map[string]struct {
		liar *liar
		at   string // the command that is under way
	}{
		"login":  {&liar{script: map[string]string{"PASS": ""}}, "PASS"},
		"folder": {&liar{script: map[string]string{"MKD": ""}}, "MKD"},
		"data":   {&liar{stall: true}, "STOR"},
		"226":    {&liar{after: "-"}, "STOR"},
		"rename": {&liar{script: map[string]string{"RNTO": ""}}, "RNTO"},
	} {
		t.Run(name, func(t *testing.T) {
			l := c.liar.start(t)
			f, _ := image("a.jpg", 2<<20, 1)
			began := make(chan struct{})
			go func() {
				for verb := range l.reached {
					if verb == c.at {
						close(began)
						return
					}
				}
			}()
			cancelledSoon(t, began, func(ctx context.Context) error {
				s, err := newFTP(l.at(), serverPassword).connect(ctx)
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
func TestFTPLeaksNothing(t *testing.T) {
	var all []*liar
	for _, l := range []*liar{
		{greeting: "421 full"}, {greeting: "garbage"}, {script: map[string]string{"PASS": "530 no"}}, {script: map[string]string{"AUTH": "502 no"}},
		{script: map[string]string{"STOR": "550 no"}}, {after: "452 full"}, {data: func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, after: "close"},
		{script: map[string]string{"RNTO": "close"}},
	} {
		all = append(all, l.start(t))
	}
	attempt := func(i int) {
		f, _ := image(fmt.Sprintf("%d.jpg", i), 200_000, byte(i)) // a new one: what is there already would only be renamed
		l := all[i%len(all)]
		c := l.at()
		if l.script["AUTH"] != "" {
			c.Security = "auto"
		}
		refusedWith(t, impatient(c), f)
	}
	leaksNothing(t, 1000, attempt, func() {
		for _, l := range all {
			l.mu.Lock()
			clear(l.files)
			for _, c := range l.all {
				c.Close()
			}
			l.all = nil
			l.mu.Unlock()
		}
	})
}

// leaksNothing has attempts made and counts goroutines and descriptors before and after.
func leaksNothing(t *testing.T, n int, attempt func(i int), tidy func()) {
	t.Helper()
	for i := range 20 {
		attempt(i)
	}
	count := func() (goroutines, files int) {
		tidy()
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return runtime.NumGoroutine(), len(entries)
	}
	settled := func(g, f int) bool {
		for range 500 {
			if a, b := count(); a <= g+5 && b <= f+5 {
				return true
			}
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}
	settled(0, 0)
	g, f := count()
	for i := range n {
		attempt(i)
	}
	if !settled(g, f) {
		a, b := count()
		t.Errorf("goroutines %d, then %d; descriptors %d, then %d", g, a, f, b)
	}
}
