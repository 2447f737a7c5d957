// Command controlplane is a Kubernetes control plane for one machine in one binary: etcd, kube-apiserver, the few
// controllers without which an API server misleads its users, and kubectl.
//
//	controlplane serve [flags]    run the control plane in the foreground until SIGTERM
//	controlplane kubectl [args]   run kubectl; so does a link to this binary named kubectl
//	controlplane version          print the Kubernetes version
//
// There are no nodes: objects such as Deployments can be stored and read, nothing runs them.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfigs that log in through a cloud
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/component-base/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

const usage = "usage: controlplane serve [flags] | kubectl [arguments] | version"

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		kubectl(os.Args)
		return
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	switch rest := os.Args[1:]; rest[0] {
	case "serve":
		os.Exit(cli.Run(newServeCommand()))
	case "kubectl":
		kubectl(rest)
	case "version":
		fmt.Println(version.Get().GitVersion)
	default:
		fmt.Fprintf(os.Stderr, "unknown subcommand %q\n%s\n", rest[0], usage)
		os.Exit(2)
	}
}

// kubectl runs kubectl with args, whose first element is the program's name.
//
// os.Args is replaced because kubectl reads it in several places of its own (verbosity, plugins, preferences).
func kubectl(args []string) {
	os.Args = args
	// A bad -v is not an error yet: the flag parser reports it better.
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
