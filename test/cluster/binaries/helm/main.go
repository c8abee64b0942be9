// helm as its own main package starts it: a module of its own, as its dependencies are newer than those
// of Kubernetes here.
package main

import (
	"errors"
	"log/slog"
	"os"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

func main() {
	kube.ManagedFieldsManager = "helm"
	command, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil {
		slog.Warn("command failed", slog.Any("error", err))
		os.Exit(1)
	}
	if err := command.Execute(); err != nil {
		if failure, ok := errors.AsType[helmcmd.CommandError](err); ok {
			os.Exit(failure.ExitCode)
		}
		os.Exit(1)
	}
}
