package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	parallel      = 16
	mostPods      = 20000
	mostRate      = 2000
	mostSeconds   = 600
	runningWithin = 10 * time.Minute
)

// fill makes pipelines pipeline-0001 and so on. Of each twenty one has failed and one is restarting.
func fill(ctx context.Context, c *cluster, arguments []string) error {
	pipelines, err := count(arguments[0], mostPods)
	if err != nil {
		return err
	}
	pods, err := count(arguments[1], mostPods)
	if err != nil {
		return err
	}
	if pods < 1 || pipelines*pods > mostPods {
		return fmt.Errorf("each pipeline has at least one pod, and all together have at most %d", mostPods)
	}
	namespace := optional(arguments, 2, "fill")
	nodes, err := c.client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(nodes.Items) == 0 {
		return errors.New("the cluster has no node")
	}
	begin := time.Now()
	if err = makeNamespace(ctx, c, namespace); err != nil {
		return err
	}
	err = each(ctx, pipelines, func(ctx context.Context, index int) error {
		state := "RUNNING"
		switch index % 20 {
		case 9:
			state = "RESTARTING"
		case 19:
			state = "FAILED"
		}
		return pipeline{
			namespace: namespace, name: fmt.Sprintf("pipeline-%04d", index+1), taskManagers: pods - 1,
			node: nodes.Items[index%len(nodes.Items)].Name, state: state,
		}.create(ctx, c)
	})
	if err != nil {
		return err
	}
	fmt.Printf("made %d pipelines in %.1f s\n", pipelines, time.Since(begin).Seconds())
	if err = waitRunning(ctx, c, namespace, pipelines*pods); err != nil {
		return err
	}
	fmt.Printf("%d pods run after %.1f s\n", pipelines*pods, time.Since(begin).Seconds())
	return nil
}

// each calls the function for 0 to total-1, some at the same time, and stops at the first error.
func each(ctx context.Context, total int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range parallel {
		group.Go(func() {
			for {
				index := int(next.Add(1)) - 1
				if index >= total || ctx.Err() != nil {
					return
				}
				if err := do(ctx, index); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// waitRunning waits until the namespace has this many running pods.
func waitRunning(ctx context.Context, c *cluster, namespace string, wanted int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, runningWithin,
		fmt.Errorf("%d pods of %s do not run after %s", wanted, namespace, runningWithin))
	defer cancel()
	for {
		list, err := c.client.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{
			FieldSelector: "status.phase=Running", Limit: 1,
		})
		if err != nil {
			return fmt.Errorf("list pods: %w", errors.Join(err, context.Cause(ctx)))
		}
		running := len(list.Items)
		if running > 0 && wanted > 1 { // a limited list with a field selector does not count what remains
			all, err := c.client.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{
				FieldSelector: "status.phase=Running", ResourceVersion: "0",
			})
			if err != nil {
				return fmt.Errorf("list pods: %w", err)
			}
			running = len(all.Items)
		}
		if running >= wanted {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(max(100*time.Millisecond, time.Duration(wanted)*time.Millisecond/5)):
		}
	}
}

// churn changes pods at a steady rate for a limited time: a restart is counted, or readiness goes and comes.
func churn(ctx context.Context, c *cluster, arguments []string) error {
	rate, err := count(arguments[0], mostRate)
	if err != nil {
		return err
	}
	seconds, err := count(arguments[1], mostSeconds)
	if err != nil {
		return err
	}
	pods, err := c.client.CoreV1().Pods(optional(arguments, 2, "")).List(ctx, meta.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	total := rate * seconds
	if len(pods.Items) == 0 || total == 0 {
		return errors.New("nothing to change")
	}
	begin := time.Now()
	var made, failed atomic.Int64
	end := begin.Add(time.Duration(seconds) * time.Second)
	err = each(ctx, total, func(ctx context.Context, index int) error {
		due := begin.Add(time.Duration(index) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
		}
		if time.Now().After(end) { // the cluster cannot keep the rate: the time counts, not the number
			return nil
		}
		pod := &pods.Items[index%len(pods.Items)]
		if err := touch(ctx, c, pod, index/len(pods.Items)); err != nil {
			failed.Add(1)
		} else {
			made.Add(1)
		}
		return nil
	})
	fmt.Printf("%d of %d changes made, %d failed, in %.1f s\n",
		made.Load(), total, failed.Load(), time.Since(begin).Seconds())
	return err
}

func touch(ctx context.Context, c *cluster, pod *core.Pod, round int) error {
	if len(pod.Status.ContainerStatuses) == 0 {
		return errors.New("the pod has no container status")
	}
	// A patch replaces this list as a whole, so all of it is sent.
	containers := slices.Clone(pod.Status.ContainerStatuses)
	ready, condition := round%2 == 1, core.ConditionFalse
	containers[0].RestartCount += int32(round / 2)
	containers[0].Ready = ready
	if ready {
		condition = core.ConditionTrue
		containers[0].RestartCount++
	}
	now := meta.Now()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"containerStatuses": containers,
		"conditions":        []any{map[string]any{"type": core.PodReady, "status": condition, "lastTransitionTime": now}},
	}})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch,
		meta.PatchOptions{}, "status")
	return err
}
