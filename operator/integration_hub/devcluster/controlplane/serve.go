package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/errors"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the server's /metrics includes its own client's
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// shutdownLimit bounds a graceful end. Open watches can hold kube-apiserver for a minute; whoever watches reconnects
// anyhow, and etcd, which has something to lose, is closed in either case.
const shutdownLimit = 5 * time.Second

// newServeCommand takes every flag of kube-apiserver, and those of the embedded etcd.
func newServeCommand() *cobra.Command {
	var (
		server = options.NewServerRunOptions()
		data   storage
		lockFD int
	)
	command := &cobra.Command{
		Use:          "serve",
		Short:        "Run etcd, kube-apiserver and the essential controllers until SIGTERM",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if lockFD >= 0 {
				if err := signLock(lockFD); err != nil {
					return fmt.Errorf("--lock-fd %d: %w", lockFD, err)
				}
			}
			return serve(genericapiserver.SetupSignalContext(), server, &data)
		},
	}
	command.SetArgs(os.Args[2:])
	flags := command.Flags()
	flags.IntVar(&lockFD, "lock-fd", -1, "Inherited descriptor of the locked file that takes this process's number; -1 for none.")
	data.addFlags(flags)
	for _, set := range server.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	flags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	return command
}

// heldLock keeps the lock's file reachable: an unreachable os.File is closed by its finalizer, which frees the lock.
var heldLock *os.File

// signLock makes this process the leader of a session of its own and writes its number into the locked file that it
// inherited.
//
// The lock lasts as long as a process holds the descriptor. So a number read from a file whose lock is taken names a
// live process group, and never one that got the number later.
func signLock(fd int) error {
	if _, err := syscall.Setsid(); err != nil {
		return err
	}
	heldLock = os.NewFile(uintptr(fd), "lock")
	if heldLock == nil {
		return syscall.EBADF
	}
	_, err := heldLock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// serve runs everything until ctx ends or a part fails.
func serve(ctx context.Context, server *options.ServerRunOptions, data *storage) error {
	rest.SetDefaultWarningHandler(rest.NoWarnings{}) // warnings about its own requests help nobody
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	if err := logsapi.ValidateAndApply(server.Logs, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	etcdURL := data.clientURL()
	server.Etcd.StorageConfig.Transport.ServerList = []string{etcdURL.String()}

	etcd, err := data.start(ctx)
	if err != nil {
		return err
	}
	defer etcd.Close()

	ended := make(chan error, 1)
	go func() { ended <- serveAPI(ctx, server) }()
	select {
	case err := <-ended:
		return err
	case err := <-etcd.Err():
		return fmt.Errorf("etcd failed: %w", err)
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(shutdownLimit):
		klog.InfoS("Clients still connected at the end of the grace period; closing", "limit", shutdownLimit)
		return nil
	}
}

// serveAPI runs kube-apiserver, with the controllers as one of its post-start hooks, so that /readyz waits for them.
func serveAPI(ctx context.Context, server *options.ServerRunOptions) error {
	completed, err := server.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return errors.NewAggregate(errs)
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return err
	}
	completedConfig, err := config.Complete()
	if err != nil {
		return err
	}
	chain, err := app.CreateServerChain(completedConfig)
	if err != nil {
		return err
	}
	parts := controllers{
		signingKeyFile: server.ServiceAccountSigningKeyFile,
		caFile:         server.Authentication.ClientCert.ClientCA,
	}
	err = chain.GenericAPIServer.AddPostStartHook("integration-hub-controllers",
		func(hook genericapiserver.PostStartHookContext) error {
			return parts.run(hook, hook.LoopbackClientConfig)
		})
	if err != nil {
		return err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}
