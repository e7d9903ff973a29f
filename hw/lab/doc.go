// Package lab tests hw's V4L2 camera against a kernel's own driver: a virtual
// machine with Debian's kernel and the test driver vivid, no hardware needed.
//
// It holds tests only. TestLab builds a guest of busybox, vivid's modules and
// this package's other tests (build tag vivid), boots it in qemu and fails
// where the guest does. kernel.sh fetches the kernel once, into
// ${XDG_CACHE_HOME:-~/.cache}/watchpost-lab.
package lab
