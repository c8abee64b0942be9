package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"
)

// Spec is a container as the kubelet wants it. Its files are set up as containerd does it, but nothing
// limits its memory and CPU, no system call is filtered, and the root is changed by chroot: what a
// program sees and may is right, someone who wants out finds a way.
type Spec struct {
	// Folder is the container's own: where its root and what it writes there are mounted.
	Folder string
	// Layers are folders, the topmost first, that together are the root.
	Layers []string
	// Hidden are folders of the layers that are empty in the container.
	Hidden         []string
	ReadOnlyRoot   bool
	Mounts         []Mount
	Hostname       string
	Privileged     bool
	Args           []string
	Env            []string
	WorkingDir     string
	UID, GID       int
	Groups         []int
	Capabilities   []string
	NoNewPrivilege bool
}

// Mount is a file or folder of the node that the container has at Target.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

func readSpec(path string) (spec Spec, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return spec, err
	}
	return spec, json.Unmarshal(text, &spec)
}

func (spec *Spec) root() string { return filepath.Join(spec.Folder, "root") }

// prepare sets up the files, in mount and UTS namespaces that are new.
func (spec *Spec) prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return err
	}
	for _, step := range []func() error{spec.mountRoot, spec.mountKernel, spec.mountDevices, spec.mountVolumes} {
		if err := step(); err != nil {
			return err
		}
	}
	if spec.ReadOnlyRoot {
		return remountReadOnly(spec.root())
	}
	return nil
}

func (spec *Spec) mountRoot() error {
	scratch := filepath.Join(spec.Folder, "scratch")
	if err := mkdirs(scratch, spec.root()); err != nil {
		return err
	}
	// Apart from the layers, one of which may be the whole file system; an overlay wants that.
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	upper, work := filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")
	if err := mkdirs(upper, work); err != nil {
		return err
	}
	for _, hidden := range spec.Hidden {
		path := filepath.Join(upper, hidden)
		if err := mkdirs(path); err != nil {
			return err
		}
		if err := unix.Setxattr(path, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("hide %s: %w", hidden, err)
		}
		if strings.HasSuffix(hidden, "/tmp") {
			if err := os.Chmod(path, 0o777|os.ModeSticky); err != nil {
				return err
			}
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(spec.Layers, ":"), upper, work)
	if err := unix.Mount("overlay", spec.root(), "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay %s: %w", options, err)
	}
	return nil
}

func (spec *Spec) mountKernel() error {
	proc, sys := filepath.Join(spec.root(), "proc"), filepath.Join(spec.root(), "sys")
	if err := mkdirs(proc, sys); err != nil {
		return err
	}
	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("proc", proc, "proc", safe, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	if spec.Privileged {
		return unix.Mount("sysfs", sys, "sysfs", safe, "")
	}
	for _, name := range []string{"bus", "fs", "irq", "sys", "sysrq-trigger"} {
		path := filepath.Join(proc, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if err := bind(path, path, true); err != nil {
			return err
		}
	}
	return unix.Mount("sysfs", sys, "sysfs", safe|unix.MS_RDONLY, "")
}

func (spec *Spec) mountDevices() error {
	dev := filepath.Join(spec.root(), "dev")
	if err := mkdirs(dev); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755,size=64k"); err != nil {
		return err
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		path := filepath.Join(dev, name)
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(1, minor))); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	pts, shm := filepath.Join(dev, "pts"), filepath.Join(dev, "shm")
	if err := mkdirs(pts, shm); err != nil {
		return err
	}
	if err := unix.Mount("devpts", pts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", shm, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=1777,size=64m"); err != nil {
		return err
	}
	links := map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

func (spec *Spec) mountVolumes() error {
	for _, mount := range spec.Mounts {
		// As seen from inside: /var/run is a link to /run in most images.
		target, err := securejoin.SecureJoin(spec.root(), mount.Target)
		if err != nil {
			return err
		}
		source, err := os.Stat(mount.Source)
		if err != nil {
			return err
		}
		if source.IsDir() {
			err = mkdirs(target)
		} else if _, err = os.Stat(target); err != nil {
			if err = mkdirs(filepath.Dir(target)); err == nil {
				err = os.WriteFile(target, nil, 0o644)
			}
		}
		if err != nil {
			return err
		}
		if err := bind(mount.Source, target, mount.ReadOnly); err != nil {
			return err
		}
	}
	return nil
}

// become goes on as the command with the container's root, user, groups and capabilities. A command that
// entered later ends with the one who brought it in.
func (spec *Spec) become(args []string, entering bool) error {
	unix.Umask(0o022)
	if err := unix.Chroot(spec.root()); err != nil {
		return err
	}
	if err := unix.Chdir(spec.WorkingDir); err != nil {
		return fmt.Errorf("Cannot change to %s: %w", spec.WorkingDir, err)
	}
	if spec.NoNewPrivilege {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	if err := spec.boundCapabilities(); err != nil {
		return err
	}
	if err := syscall.Setgroups(spec.Groups); err != nil {
		return fmt.Errorf("Cannot join groups %v: %w", spec.Groups, err)
	}
	if err := syscall.Setresgid(spec.GID, spec.GID, spec.GID); err != nil {
		return fmt.Errorf("Cannot become group %d: %w", spec.GID, err)
	}
	if err := syscall.Setresuid(spec.UID, spec.UID, spec.UID); err != nil {
		return fmt.Errorf("Cannot become user %d: %w", spec.UID, err)
	}
	os.Clearenv()
	for _, setting := range spec.Env {
		name, value, _ := strings.Cut(setting, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if entering {
		// A change of user would undo it.
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			return err
		}
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return err
	}
	return fmt.Errorf("exec %s: %w", path, syscall.Exec(path, args, spec.Env))
}

// boundCapabilities leaves the bounding set only. The kernel gives the whole of it to a program that
// user 0 runs, and to no other: what containerd's processes have too.
func (spec *Spec) boundCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Inheritable, sets[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	if spec.Privileged {
		return nil
	}
	kept := map[int]bool{}
	for _, name := range spec.Capabilities {
		number, known := capabilities[name]
		if !known {
			return fmt.Errorf("Cannot keep capability %q: Linux has none of this name", name)
		}
		kept[number] = true
	}
	for number := range len(capabilities) {
		if !kept[number] {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// In the order of their numbers.
var capabilities = func() map[string]int {
	numbers := map[string]int{}
	for number, name := range strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID
		SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER
		SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE
		SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
		WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`) {
		numbers[name] = number
	}
	return numbers
}()

func mkdirs(paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func bind(source, target string, readOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s at %s: %w", source, target, err)
	}
	if readOnly {
		return remountReadOnly(target)
	}
	return nil
}

func remountReadOnly(target string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(target, &stat); err != nil {
		return err
	}
	kept := uintptr(stat.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|kept, "")
}
