package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// container is one that was started; it may have ended.
type container struct {
	specPath string
	logPath  string
	process  *os.Process
	// previousLog is that of the container that this one replaced.
	previousLog string
	ended       chan struct{}
	end         end
}

// end is how a container ended.
type end struct {
	ExitCode int
	Signal   int
}

// containers holds the latest of each, by namespace/pod/container.
type containers struct {
	// program is where this program is, for others that run it.
	program string
	mutex   sync.Mutex
	byKey   map[string]*container
}

func (all *containers) find(key string) (*container, error) {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if found, ok := all.byKey[key]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("container %q does not exist", key)
}

func (all *containers) forget(key string) {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	delete(all.byKey, key)
}

// start starts a container in the network namespace of that path.
func (all *containers) start(key, netns, specPath, logPath string) error {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	command := exec.Command("nsenter", "--net="+netns, "--", all.program, "container", specPath)
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	started := &container{specPath: specPath, logPath: logPath, process: command.Process, ended: make(chan struct{})}
	all.mutex.Lock()
	if before, ok := all.byKey[key]; ok {
		started.previousLog = before.logPath
	}
	all.byKey[key] = started
	all.mutex.Unlock()
	go func() {
		var mutex sync.Mutex
		var copies sync.WaitGroup
		for name, stream := range map[string]io.Reader{"stdout": stdout, "stderr": stderr} {
			copies.Go(func() { writeLines(log, &mutex, name, stream) })
		}
		copies.Wait()
		_ = command.Wait()
		_ = log.Close()
		started.end.ExitCode = command.ProcessState.ExitCode()
		if status := command.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
			started.end = end{ExitCode: 128 + int(status.Signal()), Signal: int(status.Signal())}
		}
		close(started.ended)
	}()
	return nil
}

// writeLines writes each line with its time and stream before it, nearly as a kubelet's logs are.
func writeLines(log io.Writer, mutex *sync.Mutex, stream string, from io.Reader) {
	reader := bufio.NewReader(from)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			mutex.Lock()
			_, _ = fmt.Fprintf(log, "%s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), stream, strings.TrimSuffix(line, "\n"))
			mutex.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// ExecInContainer runs a command in a container, as package remotecommand wants it.
func (all *containers) ExecInContainer(ctx context.Context, key, _, _ string, args []string, stdin io.Reader, stdout, stderr io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, timeout time.Duration) error {
	in, err := all.find(key)
	if err != nil {
		return err
	}
	select {
	case <-in.ended:
		return fmt.Errorf("container %q does not run", key)
	default:
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	nsenter := []string{fmt.Sprintf("--target=%d", in.process.Pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	command := exec.CommandContext(ctx, "nsenter", append(append(nsenter, all.program, "enter", in.specPath), args...)...)
	command.WaitDelay = time.Second
	if tty {
		err = runAtTerminal(command, stdin, stdout, resize)
	} else {
		err = runWithPipes(command, stdin, stdout, stderr)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

func runWithPipes(command *exec.Cmd, stdin io.Reader, stdout, stderr io.Writer) error {
	command.Stdout, command.Stderr = stdout, stderr
	if stdin != nil {
		// Not command.Stdin: the command may end without reading all of it, and Wait would wait.
		pipe, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(pipe, stdin)
			_ = pipe.Close()
		}()
	}
	return command.Run()
}

func runAtTerminal(command *exec.Cmd, stdin io.Reader, stdout io.Writer, resize <-chan remotecommand.TerminalSize) error {
	terminal, err := pty.Start(command)
	if err != nil {
		return err
	}
	defer func() { _ = terminal.Close() }()
	go func() {
		for size := range resize {
			_ = pty.Setsize(terminal, &pty.Winsize{Rows: size.Height, Cols: size.Width})
		}
	}()
	if stdin != nil {
		go func() { _, _ = io.Copy(terminal, stdin) }()
	}
	_, _ = io.Copy(stdout, terminal)
	return command.Wait()
}
