package main

import (
	"context"
	"fmt"
	"log"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	leaseNamespace = "kube-node-lease"
	leaseSeconds   = int32(40)
	beatEvery      = 10 * time.Second
)

// registerNodes makes the nodes, or points those of an earlier run at the present port.
func registerNodes(ctx context.Context, client kubernetes.Interface, count, port int) ([]string, error) {
	names := make([]string, 0, count)
	for index := 1; index <= count; index++ {
		name := fmt.Sprintf("stack-node-%d", index)
		labels := map[string]string{
			"kubernetes.io/hostname":      name,
			"kubernetes.io/os":            "linux",
			"kubernetes.io/arch":          "amd64",
			"topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", index),
		}
		node := &core.Node{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}}
		_, err := client.CoreV1().Nodes().Create(ctx, node, meta.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("create node %s: %w", name, err)
		}
		for try := 1; ; try++ {
			err = writeNodeStatus(ctx, client, name, port)
			if err == nil {
				break
			}
			if !apierrors.IsConflict(err) || try == 20 {
				return nil, fmt.Errorf("write status of node %s: %w", name, err)
			}
		}
		if err := renewLease(ctx, client, name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func writeNodeStatus(ctx context.Context, client kubernetes.Interface, name string, port int) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	now := meta.Now()
	condition := func(kind core.NodeConditionType, status core.ConditionStatus, reason string) core.NodeCondition {
		return core.NodeCondition{
			Type: kind, Status: status, Reason: reason, LastHeartbeatTime: now, LastTransitionTime: now,
		}
	}
	size := core.ResourceList{
		core.ResourceCPU:              resource.MustParse("4000"),
		core.ResourceMemory:           resource.MustParse("16Ti"),
		core.ResourceEphemeralStorage: resource.MustParse("100Ti"),
		core.ResourcePods:             resource.MustParse("10000"),
	}
	node.Status.Capacity = size
	node.Status.Allocatable = size
	node.Status.Conditions = []core.NodeCondition{
		condition(core.NodeMemoryPressure, core.ConditionFalse, "KubeletHasSufficientMemory"),
		condition(core.NodeDiskPressure, core.ConditionFalse, "KubeletHasNoDiskPressure"),
		condition(core.NodePIDPressure, core.ConditionFalse, "KubeletHasSufficientPID"),
		condition(core.NodeReady, core.ConditionTrue, "KubeletReady"),
	}
	node.Status.Addresses = []core.NodeAddress{
		{Type: core.NodeInternalIP, Address: "127.0.0.1"},
		{Type: core.NodeHostName, Address: name},
	}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	node.Status.NodeInfo = core.NodeSystemInfo{
		KubeletVersion:          "stand-in",
		ContainerRuntimeVersion: "stand-in://0",
		OperatingSystem:         "linux",
		Architecture:            "amd64",
	}
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, meta.UpdateOptions{})
	return err
}

// heartbeat renews the leases until the context ends; a failure is tried again at the next beat.
func heartbeat(ctx context.Context, client kubernetes.Interface, nodes []string) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, name := range nodes {
			if err := renewLease(ctx, client, name); err != nil {
				log.Printf("%v", err)
			}
		}
	}
}

func renewLease(ctx context.Context, client kubernetes.Interface, node string) error {
	leases := client.CoordinationV1().Leases(leaseNamespace)
	now := meta.NowMicro()
	seconds := leaseSeconds
	spec := coordination.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: &seconds, RenewTime: &now}
	lease, err := leases.Get(ctx, node, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordination.Lease{
			ObjectMeta: meta.ObjectMeta{Name: node, Namespace: leaseNamespace}, Spec: spec,
		}, meta.CreateOptions{})
		if apierrors.IsNotFound(err) { // the namespace comes a moment after the API server
			_, err = client.CoreV1().Namespaces().Create(ctx,
				&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: leaseNamespace}}, meta.CreateOptions{})
			if err == nil || apierrors.IsAlreadyExists(err) {
				return renewLease(ctx, client, node)
			}
		}
	} else if err == nil {
		lease.Spec = spec
		_, err = leases.Update(ctx, lease, meta.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("renew lease of node %s: %w", node, err)
	}
	return nil
}
