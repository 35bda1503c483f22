package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// podIPAnnotation gives a pod the address of a process that the test runs. Others get a free one.
const podIPAnnotation = "stack.flowdeck.test/pod-ip"

// podManager moves pods to Running, and away when they are deleted.
type podManager struct {
	client  kubernetes.Interface
	nodes   []string
	logDir  string
	prefix  string
	workers int
	lister  listers.PodLister
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]

	mu     sync.Mutex
	lastIP uint16
}

func newPodManager(client kubernetes.Interface, nodes []string, o options) *podManager {
	return &podManager{
		client: client, nodes: nodes, logDir: o.logDir, prefix: o.podPrefix, workers: o.workers,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](
			50*time.Millisecond, 5*time.Second)),
		lastIP: 255, // x.y.0.* belongs to the network of Flink
	}
}

func (m *podManager) start(ctx context.Context) error {
	factory := informers.NewSharedInformerFactoryWithOptions(m.client, 0,
		informers.WithTweakListOptions(func(list *meta.ListOptions) {
			list.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
		}),
		informers.WithTransform(func(object any) (any, error) {
			if pod, ok := object.(*core.Pod); ok {
				pod.ManagedFields = nil
			}
			return object, nil
		}))
	informer := factory.Core().V1().Pods()
	m.lister = informer.Lister()
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { m.enqueue(object) },
		UpdateFunc: func(_, object any) { m.enqueue(object) },
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
		return fmt.Errorf("list pods: %w", ctx.Err())
	}
	m.skipUsedIPs()
	for range m.workers {
		go wait.UntilWithContext(ctx, m.work, time.Second)
	}
	go func() {
		<-ctx.Done()
		m.queue.ShutDown()
	}()
	return nil
}

// skipUsedIPs goes on after the addresses that an earlier run gave.
func (m *podManager) skipUsedIPs() {
	pods, err := m.lister.List(labels.Everything())
	if err != nil {
		return // the lister reads memory and does not fail
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, pod := range pods {
		address := net.ParseIP(pod.Status.PodIP).To4()
		if address != nil && strings.HasPrefix(pod.Status.PodIP, m.prefix+".") {
			m.lastIP = max(m.lastIP, uint16(address[2])<<8|uint16(address[3]))
		}
	}
}

func (m *podManager) enqueue(object any) {
	pod, ok := object.(*core.Pod)
	if !ok || !slices.Contains(m.nodes, pod.Spec.NodeName) {
		return
	}
	pending := pod.Status.Phase == core.PodPending || pod.Status.Phase == ""
	if pod.DeletionTimestamp != nil || pending {
		m.queue.Add(cache.MetaObjectToName(pod))
	}
}

func (m *podManager) work(ctx context.Context) {
	for {
		name, shutdown := m.queue.Get()
		if shutdown {
			return
		}
		if err := m.sync(ctx, name); err != nil && !apierrors.IsNotFound(err) {
			if !apierrors.IsConflict(err) {
				log.Printf("pod %s: %v", name, err)
			}
			m.queue.AddRateLimited(name)
		} else {
			m.queue.Forget(name)
		}
		m.queue.Done(name)
	}
}

func (m *podManager) sync(ctx context.Context, name cache.ObjectName) error {
	pod, err := m.lister.Pods(name.Namespace).Get(name.Name)
	if err != nil {
		return err
	}
	if pod.DeletionTimestamp != nil {
		return m.remove(ctx, pod)
	}
	if pod.Status.Phase != core.PodPending && pod.Status.Phase != "" {
		return nil
	}
	// The resource version makes this write lose against a test that was faster. A whole object costs the API
	// server much less than a patch, which counts when thousands of pods are made.
	pod = pod.DeepCopy()
	pod.Status = m.runningStatus(pod)
	_, err = m.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, meta.UpdateOptions{})
	return err
}

// remove ends a deleted pod at once. Its logs go first, so a pod of the same name starts with none.
func (m *podManager) remove(ctx context.Context, pod *core.Pod) error {
	if err := os.RemoveAll(filepath.Join(m.logDir, pod.Namespace, pod.Name)); err != nil {
		log.Printf("remove logs of %s/%s: %v", pod.Namespace, pod.Name, err)
	}
	now := int64(0)
	return m.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, meta.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &pod.UID},
	})
}

func (m *podManager) runningStatus(pod *core.Pod) core.PodStatus {
	now := meta.Now()
	address := pod.Annotations[podIPAnnotation]
	if address == "" {
		address = m.nextIP()
	}
	status := core.PodStatus{
		Phase: core.PodRunning, StartTime: &now,
		HostIP: "127.0.0.1", HostIPs: []core.HostIP{{IP: "127.0.0.1"}},
		PodIP: address, PodIPs: []core.PodIP{{IP: address}},
	}
	for _, kind := range []core.PodConditionType{
		core.PodReadyToStartContainers, core.PodInitialized, core.PodReady, core.ContainersReady, core.PodScheduled,
	} {
		status.Conditions = append(status.Conditions, core.PodCondition{
			Type: kind, Status: core.ConditionTrue, LastTransitionTime: now, ObservedGeneration: pod.Generation,
		})
	}
	started := true
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, core.ContainerStatus{
			Name: container.Name, Image: container.Image, ImageID: "stand-in://" + container.Image,
			ContainerID: fmt.Sprintf("stand-in://%s/%s/0", pod.UID, container.Name),
			Ready:       true, Started: &started,
			State: core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: now}},
		})
	}
	for _, container := range pod.Spec.InitContainers {
		status.InitContainerStatuses = append(status.InitContainerStatuses, core.ContainerStatus{
			Name: container.Name, Image: container.Image, ImageID: "stand-in://" + container.Image,
			ContainerID: fmt.Sprintf("stand-in://%s/%s/0", pod.UID, container.Name),
			Ready:       true,
			State: core.ContainerState{Terminated: &core.ContainerStateTerminated{
				Reason: "Completed", StartedAt: now, FinishedAt: now,
			}},
		})
	}
	return status
}

func (m *podManager) nextIP() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastIP++
	if m.lastIP < 256 { // it has wrapped around
		m.lastIP = 256
	}
	return fmt.Sprintf("%s.%d.%d", m.prefix, m.lastIP>>8, m.lastIP&0xff)
}
