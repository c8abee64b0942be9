// What a test needs of a node beside its kernel: a container runtime in small, and the HTTPS endpoint
// by which an API server reaches a kubelet. As `serve` it runs in the node's network namespace; as
// `container` and `enter` it becomes a process of a container.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func init() {
	// Namespaces, users and capabilities belong to a thread; exec is to happen on the one that got them.
	runtime.LockOSThread()
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(128)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "serve":
		return serve(args[1], args[2])
	case len(args) == 2 && args[0] == "container":
		spec, err := readSpec(args[1])
		if err != nil {
			return err
		}
		if err := spec.prepare(); err != nil {
			return fmt.Errorf("Cannot prepare the container's files: %w", err)
		}
		return spec.become(spec.Args, false)
	case len(args) > 2 && args[0] == "enter":
		spec, err := readSpec(args[1])
		if err != nil {
			return err
		}
		return spec.become(args[2:], true)
	}
	return fmt.Errorf("want serve SOCKET ADDRESS, container SPEC or enter SPEC COMMAND..., not %q", args)
}
