package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
)

// storage is what the command line says about the embedded etcd.
type storage struct {
	dataDir string
	// socket is relative to the working directory: the path of a unix socket may hold about 100 bytes only.
	socket string
}

func (s *storage) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.dataDir, "etcd-data-dir", "etcd", "Folder of etcd's data.")
	flags.StringVar(&s.socket, "etcd-socket", "etcd.sock", "Unix socket that etcd listens on. Its folder is its only guard.")
}

// clientURL is how the API server reaches etcd.
func (s *storage) clientURL() url.URL {
	return url.URL{Scheme: "unix", Host: s.socket}
}

// start runs etcd and returns once it serves.
//
// It listens on the unix socket alone. The host:port URLs that etcd insists on advertising to other members and their
// clients stay at their defaults and are names only: there are no others, and nothing listens there.
func (s *storage) start(ctx context.Context) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = s.dataDir
	config.ListenClientUrls = []url.URL{s.clientURL()}
	config.ListenPeerUrls = nil
	config.LogLevel = "warn"
	// Only flag parsing sets this default; at zero every request is logged as slow.
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	config.EnableGRPCGateway = false

	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("etcd with data in %s: %w", s.dataDir, err)
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
	case err := <-server.Err():
		return nil, fmt.Errorf("etcd with data in %s: %w", s.dataDir, err)
	case <-server.Server.StopNotify():
		return nil, errors.New("etcd stopped while it was starting")
	case <-ctx.Done():
		server.Close()
		return nil, ctx.Err()
	}
}
