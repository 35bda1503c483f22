package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// afterwards is what becomes of a container that has ended.
type afterwards int

const (
	restarts     afterwards = iota // whatever the pod's restart policy says
	asPolicySays                   // runs again, or the pod fails if its policy is Never
	backsOff                       // waits in CrashLoopBackOff, or the pod fails if its policy is Never
)

// ending is how a container ends, and what comes then.
type ending struct {
	reason   string
	exitCode int32
	then     afterwards
}

func (e ending) run(ctx context.Context, c *cluster, arguments []string) error {
	namespace, name := arguments[0], arguments[1]
	rotated := false
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		pod, err := c.client.CoreV1().Pods(namespace).Get(ctx, name, meta.GetOptions{})
		if err != nil {
			return err
		}
		status, err := findContainer(pod, optional(arguments, 2, ""))
		if err != nil {
			return err
		}
		if !rotated && !e.isLast(pod) {
			if err = rotate(filepath.Join(c.logDir, namespace, name), status.Name); err != nil {
				return err
			}
			rotated = true
		}
		e.apply(pod, status)
		_, err = c.client.CoreV1().Pods(namespace).UpdateStatus(ctx, pod, meta.UpdateOptions{})
		return err
	})
}

// isLast tells whether no container follows the one that ends.
func (e ending) isLast(pod *core.Pod) bool {
	return pod.Spec.RestartPolicy == core.RestartPolicyNever && e.then != restarts
}

func (e ending) apply(pod *core.Pod, status *core.ContainerStatus) {
	now := meta.Now()
	started := pod.CreationTimestamp
	if status.State.Running != nil {
		started = status.State.Running.StartedAt
	}
	ended := core.ContainerState{Terminated: &core.ContainerStateTerminated{
		ExitCode: e.exitCode, Reason: e.reason, StartedAt: started, FinishedAt: now, ContainerID: status.ContainerID,
	}}
	running := false
	switch {
	case e.isLast(pod):
		status.State = ended
		pod.Status.Phase = core.PodFailed
	case e.then == backsOff:
		e.restart(pod, status, ended)
		status.State = core.ContainerState{Waiting: &core.ContainerStateWaiting{
			Reason:  "CrashLoopBackOff",
			Message: fmt.Sprintf("back-off 5m0s restarting failed container=%s pod=%s", status.Name, pod.Name),
		}}
	default:
		e.restart(pod, status, ended)
		status.State = core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: now}}
		running = true
	}
	status.Ready, status.Started = running, &running
	ready := core.ConditionFalse
	if running {
		ready = core.ConditionTrue
	}
	for index := range pod.Status.Conditions {
		condition := &pod.Status.Conditions[index]
		if condition.Type == core.PodReady || condition.Type == core.ContainersReady {
			condition.Status, condition.LastTransitionTime = ready, now
		}
	}
}

func (ending) restart(pod *core.Pod, status *core.ContainerStatus, ended core.ContainerState) {
	status.LastTerminationState = ended
	status.RestartCount++
	status.ContainerID = fmt.Sprintf("stand-in://%s/%s/%d", pod.UID, status.Name, status.RestartCount)
}

func findContainer(pod *core.Pod, name string) (*core.ContainerStatus, error) {
	for index := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[index]
		if name == "" || status.Name == name {
			return status, nil
		}
	}
	return nil, fmt.Errorf("pod %s has no status of a container %q", pod.Name, name)
}

// rotate makes the present log the one of the previous container.
func rotate(folder, container string) error {
	current := filepath.Join(folder, container+".log")
	err := os.Rename(current, filepath.Join(folder, container+".previous.log"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// appendLog adds standard input to a log, each line at the time it was read, in the form of container runtimes.
func appendLog(_ context.Context, c *cluster, arguments []string) error {
	folder := filepath.Join(c.logDir, arguments[0], arguments[1])
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(folder, arguments[2]+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReader(os.Stdin)
	for {
		line, err := reader.ReadString('\n')
		if line = strings.TrimSuffix(line, "\n"); line != "" || err == nil {
			stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
			if _, err := fmt.Fprintf(file, "%s stdout F %s\n", stamp, line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// scale adds or removes task managers, the last ones first, and writes their number into the status.
func scale(ctx context.Context, c *cluster, arguments []string) error {
	wanted, err := count(arguments[2], 1000)
	if err != nil {
		return err
	}
	p := pipeline{namespace: arguments[0], name: arguments[1]}
	owner, err := c.client.AppsV1().Deployments(p.namespace).Get(ctx, p.name, meta.GetOptions{})
	if err != nil {
		return err
	}
	p.address = owner.Spec.Template.Annotations[podIPAnnotation]
	for index := 1; index <= wanted; index++ {
		if err = p.createTaskManager(ctx, c, owner, index); err != nil {
			return err
		}
	}
	pods, err := c.client.CoreV1().Pods(p.namespace).List(ctx, meta.ListOptions{
		LabelSelector: "component=taskmanager,app=" + p.name,
	})
	if err != nil {
		return err
	}
	for index := wanted + 1; index <= wanted+len(pods.Items); index++ {
		name := fmt.Sprintf("%s-taskmanager-1-%d", p.name, index)
		err = c.client.CoreV1().Pods(p.namespace).Delete(ctx, name, meta.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		resources := c.dynamic.Resource(flinkDeployments).Namespace(p.namespace)
		object, err := resources.Get(ctx, p.name, meta.GetOptions{})
		if err != nil {
			return err
		}
		status, ok := object.Object["status"].(map[string]any)
		if !ok {
			return nil
		}
		status["taskManager"] = map[string]any{
			"labelSelector": "component=taskmanager,app=" + p.name, "replicas": int64(wanted),
		}
		_, err = resources.UpdateStatus(ctx, object, meta.UpdateOptions{})
		return err
	})
}
