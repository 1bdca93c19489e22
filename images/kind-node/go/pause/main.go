// Pause holds a pod's namespaces. Ignoring SIGCHLD lets the kernel reap what is reparented to it.
package main

import (
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGCHLD)
	for {
		_ = syscall.Pause()
	}
}
