package main

import (
	"context"
	"fmt"
	"os"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	sacontroller "k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

const (
	// discoveryPeriod is how long the garbage collector may take to learn of a new custom resource. Upstream's 30 s
	// spares large clusters; here a test would wait for it.
	discoveryPeriod = 3 * time.Second
	// workers of each controller: enough for one person's cluster.
	workers = 5
	// resync is how often informers repeat what they know, as a net under missed work.
	resync = 12 * time.Hour
)

// controllers starts, in the background, what completes an API server: without them a deleted namespace stays
// "Terminating", dependents outlive their owners, namespaces lack their default service account, service-account
// Secrets stay empty, and the roles view, edit and admin grant nothing.
type controllers struct {
	// signingKeyFile signs the tokens in service-account Secrets; caFile is the authority put beside them.
	signingKeyFile string
	caFile         string
}

// run starts every controller and returns; they end with ctx. config must be allowed everything.
func (c controllers) run(ctx context.Context, config *rest.Config) error {
	config = rest.CopyConfig(config)
	config.UserAgent = "integration-hub-controllers"
	config.QPS = -1 // no limit: the server on the other side of the loopback sheds load by itself

	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, resync)
	metadataShared := metadatainformer.NewSharedInformerFactory(metadataClient, resync)
	all := informerfactory.NewInformerFactory(shared, metadataShared)
	informersStarted := make(chan struct{})
	logger := klog.FromContext(ctx)

	tokens, err := c.newTokensController(logger, client, shared)
	if err != nil {
		return err
	}
	accounts, err := sacontroller.NewServiceAccountsController(
		logger, shared.Core().V1().ServiceAccounts(), shared.Core().V1().Namespaces(), client,
		sacontroller.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return fmt.Errorf("service account controller: %w", err)
	}
	namespaces := namespace.NewNamespaceController(
		ctx, client, metadataClient, client.Discovery().ServerPreferredNamespacedResources,
		shared.Core().V1().Namespaces(), resync, v1.FinalizerKubernetes)
	roles := clusterroleaggregation.NewClusterRoleAggregation(shared.Rbac().V1().ClusterRoles(), client.RbacV1())
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	graph := garbagecollector.NewDependencyGraphBuilder(
		ctx, metadataClient, mapper, garbagecollector.DefaultIgnoredResources(), all, informersStarted)
	garbage, err := garbagecollector.NewComposedGarbageCollector(ctx, client, metadataClient, mapper, graph)
	if err != nil {
		return fmt.Errorf("garbage collector: %w", err)
	}

	for _, start := range []func(context.Context){
		func(ctx context.Context) { tokens.Run(ctx, workers) },
		func(ctx context.Context) { accounts.Run(ctx, 1) },
		func(ctx context.Context) { namespaces.Run(ctx, workers) },
		func(ctx context.Context) { roles.Run(ctx, workers) },
		func(ctx context.Context) { garbage.Run(ctx, workers, discoveryPeriod) },
		func(ctx context.Context) { garbage.Sync(ctx, client.Discovery(), discoveryPeriod) },
	} {
		go start(ctx)
	}
	all.Start(ctx.Done())
	close(informersStarted)
	return nil
}

func (c controllers) newTokensController(
	logger klog.Logger, client kubernetes.Interface, shared informers.SharedInformerFactory,
) (*sacontroller.TokensController, error) {
	key, err := keyutil.PrivateKeyFromFile(c.signingKeyFile)
	if err != nil {
		return nil, fmt.Errorf("service account signing key: %w", err)
	}
	ca, err := os.ReadFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	generator, err := serviceaccount.JWTTokenGenerator(serviceaccount.LegacyIssuer, key)
	if err != nil {
		return nil, fmt.Errorf("service account signing key %s: %w", c.signingKeyFile, err)
	}
	controller, err := sacontroller.NewTokensController(
		logger, shared.Core().V1().ServiceAccounts(), shared.Core().V1().Secrets(), client,
		sacontroller.TokensControllerOptions{TokenGenerator: generator, RootCA: ca})
	if err != nil {
		return nil, fmt.Errorf("service account token controller: %w", err)
	}
	return controller, nil
}
