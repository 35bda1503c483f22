package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	podIPAnnotation = "stack.flowdeck.test/pod-ip"
	container       = "flink-main-container"
	account         = "flink"
	image           = "flink:2.2"
)

var flinkDeployments = schema.GroupVersionResource{
	Group: "flink.apache.org", Version: "v1beta1", Resource: "flinkdeployments",
}

// pipeline is a FlinkDeployment in native mode with the objects that the operator and Flink make for it.
type pipeline struct {
	namespace    string
	name         string
	taskManagers int
	// address is that of a real Flink REST server; empty: the pods' addresses, where nothing listens.
	address string
	// node is where the task managers run; empty: where the scheduler puts them.
	node  string
	state string
}

func (p pipeline) labels(component string) map[string]string {
	labels := map[string]string{"app": p.name, "type": "flink-native-kubernetes"}
	if component != "" {
		labels["component"] = component
	}
	return labels
}

// create makes all objects; those that exist stay as they are.
func (p pipeline) create(ctx context.Context, c *cluster) error {
	owner, err := p.createFlinkDeployment(ctx, c)
	if err != nil {
		return fmt.Errorf("make FlinkDeployment %s: %w", p.name, err)
	}
	config := &core.ConfigMap{
		ObjectMeta: p.meta("flink-config-"+p.name, owner, ""),
		Data: map[string]string{
			"config.yaml":              "taskmanager:\n  numberOfTaskSlots: 2\nparallelism:\n  default: 2\n",
			"log4j-console.properties": "monitorInterval=30\nrootLogger.level = INFO\n",
		},
	}
	if _, err = c.client.CoreV1().ConfigMaps(p.namespace).Create(ctx, config, meta.CreateOptions{}); ignorable(err) != nil {
		return fmt.Errorf("make config map of %s: %w", p.name, err)
	}
	if err = p.createService(ctx, c, owner); err != nil {
		return fmt.Errorf("make service of %s: %w", p.name, err)
	}
	deployments := c.client.AppsV1().Deployments(p.namespace)
	deployment, err := deployments.Create(ctx, p.jobManager(owner), meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		deployment, err = deployments.Get(ctx, p.name, meta.GetOptions{})
	}
	if err != nil {
		return fmt.Errorf("make deployment %s: %w", p.name, err)
	}
	for index := 1; index <= p.taskManagers; index++ {
		if err = p.createTaskManager(ctx, c, deployment, index); err != nil {
			return fmt.Errorf("make task manager %d of %s: %w", index, p.name, err)
		}
	}
	return nil
}

func ignorable(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (p pipeline) meta(name string, owner *unstructured.Unstructured, component string) meta.ObjectMeta {
	object := meta.ObjectMeta{Name: name, Namespace: p.namespace, Labels: p.labels(component)}
	if owner != nil {
		object.OwnerReferences = []meta.OwnerReference{*meta.NewControllerRef(owner, owner.GroupVersionKind())}
	}
	return object
}

func (p pipeline) createFlinkDeployment(ctx context.Context, c *cluster) (*unstructured.Unstructured, error) {
	spec := map[string]any{
		"image":           image,
		"flinkVersion":    "v2_2", // the newest that the resource definition knows
		"serviceAccount":  account,
		"imagePullPolicy": "IfNotPresent",
		"flinkConfiguration": map[string]any{
			"taskmanager.numberOfTaskSlots":    "2",
			"execution.checkpointing.interval": "10s",
		},
		"jobManager":  map[string]any{"replicas": int64(1), "resource": map[string]any{"cpu": 1.0, "memory": "1600m"}},
		"taskManager": map[string]any{"resource": map[string]any{"cpu": 2.0, "memory": "4g"}},
		"job": map[string]any{
			"jarURI": "local:///opt/flink/usrlib/job.jar", "parallelism": int64(2 * max(p.taskManagers, 1)),
			"upgradeMode": "savepoint", "state": "running", "args": []any{"healthy"},
		},
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": flinkDeployments.GroupVersion().String(),
		"kind":       "FlinkDeployment",
		"metadata":   map[string]any{"name": p.name, "namespace": p.namespace},
		"spec":       spec,
	}}
	resources := c.dynamic.Resource(flinkDeployments).Namespace(p.namespace)
	made, err := resources.Create(ctx, object, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return resources.Get(ctx, p.name, meta.GetOptions{})
	}
	if err != nil {
		return nil, err
	}
	if made.Object["status"], err = p.status(made.GetGeneration(), spec); err != nil {
		return nil, err
	}
	return resources.UpdateStatus(ctx, made, meta.UpdateOptions{})
}

// status is what the operator would have written after it deployed the spec.
func (p pipeline) status(generation int64, spec map[string]any) (map[string]any, error) {
	reconciled, err := json.Marshal(map[string]any{
		"spec": spec,
		"resource_metadata": map[string]any{
			"apiVersion": "flink.apache.org/v1beta1", "firstDeployment": false,
		},
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	id := md5.Sum([]byte(p.namespace + "/" + p.name))
	status := map[string]any{
		"clusterInfo": map[string]any{
			"flink-version": "2.3.0", "flink-revision": "stand-in", "total-cpu": strconv.Itoa(1 + 2*p.taskManagers),
			"total-memory": strconv.FormatInt(1600<<20+int64(p.taskManagers)*4<<30, 10),
		},
		"jobManagerDeploymentStatus": "READY",
		"jobStatus": map[string]any{
			"jobId": hex.EncodeToString(id[:]), "jobName": p.name, "state": p.state,
			"startTime":  strconv.FormatInt(now.Add(-time.Hour).UnixMilli(), 10),
			"updateTime": strconv.FormatInt(now.UnixMilli(), 10),
		},
		"lifecycleState":     "STABLE",
		"observedGeneration": generation,
		"reconciliationStatus": map[string]any{
			"lastReconciledSpec": string(reconciled), "lastStableSpec": string(reconciled),
			"reconciliationTimestamp": now.UnixMilli(), "state": "DEPLOYED",
		},
		"taskManager": map[string]any{
			"labelSelector": "component=taskmanager,app=" + p.name, "replicas": int64(p.taskManagers),
		},
	}
	switch p.state {
	case "FAILED":
		status["lifecycleState"] = "FAILED"
		status["error"] = `{"type":"org.apache.flink.util.SerializedThrowable","message":"org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy","additionalMetadata":{},"throwableList":[]}`
	case "RESTARTING":
		status["lifecycleState"] = "DEPLOYED"
	}
	return status, nil
}

// createService makes NAME-rest. Its endpoints come from the selector: the API server's proxy goes only to the
// address of an existing pod, so endpoints made by hand would not do.
func (p pipeline) createService(ctx context.Context, c *cluster, owner *unstructured.Unstructured) error {
	service := &core.Service{
		ObjectMeta: p.meta(p.name+"-rest", owner, ""),
		Spec: core.ServiceSpec{
			Selector: p.labels("jobmanager"),
			Ports:    []core.ServicePort{{Name: "rest", Port: 8081, TargetPort: intstr.FromInt32(8081)}},
		},
	}
	_, err := c.client.CoreV1().Services(p.namespace).Create(ctx, service, meta.CreateOptions{})
	return ignorable(err)
}

func (p pipeline) podSpec(component string, cpu, memory string) core.PodSpec {
	size := core.ResourceList{
		core.ResourceCPU: resource.MustParse(cpu), core.ResourceMemory: resource.MustParse(memory),
	}
	spec := core.PodSpec{
		ServiceAccountName: account,
		Containers: []core.Container{{
			Name: container, Image: image, Args: []string{"kubernetes-" + component},
			Resources: core.ResourceRequirements{Requests: size, Limits: size},
		}},
	}
	if component == "jobmanager" {
		spec.Containers[0].Ports = []core.ContainerPort{
			{Name: "rest", ContainerPort: 8081}, {Name: "jobmanager-rpc", ContainerPort: 6123},
		}
	}
	return spec
}

// annotations give the pods of a live pipeline the address of the real processes.
func (p pipeline) annotations() map[string]string {
	if p.address == "" {
		return nil
	}
	return map[string]string{podIPAnnotation: p.address}
}

func (p pipeline) jobManager(owner *unstructured.Unstructured) *apps.Deployment {
	one := int32(1)
	return &apps.Deployment{
		ObjectMeta: p.meta(p.name, owner, ""),
		Spec: apps.DeploymentSpec{
			Replicas: &one,
			Selector: &meta.LabelSelector{MatchLabels: p.labels("jobmanager")},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: p.labels("jobmanager"), Annotations: p.annotations()},
				Spec:       p.podSpec("jobmanager", "1", "1600Mi"),
			},
		},
	}
}

func (p pipeline) createTaskManager(ctx context.Context, c *cluster, owner *apps.Deployment, index int) error {
	pod := &core.Pod{
		ObjectMeta: p.meta(fmt.Sprintf("%s-taskmanager-1-%d", p.name, index), nil, "taskmanager"),
		Spec:       p.podSpec("taskmanager", "2", "4Gi"),
	}
	pod.Annotations = p.annotations()
	pod.OwnerReferences = []meta.OwnerReference{
		*meta.NewControllerRef(owner, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}),
	}
	pod.Spec.RestartPolicy = core.RestartPolicyNever
	pod.Spec.NodeName = p.node
	_, err := c.client.CoreV1().Pods(p.namespace).Create(ctx, pod, meta.CreateOptions{})
	return ignorable(err)
}

// makeNamespace makes the namespace and the account that the pods run as.
func makeNamespace(ctx context.Context, c *cluster, name string) error {
	namespace := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name}}
	_, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, meta.CreateOptions{})
	if ignorable(err) != nil {
		return fmt.Errorf("make namespace %s: %w", name, err)
	}
	user := &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: account, Namespace: name}}
	_, err = c.client.CoreV1().ServiceAccounts(name).Create(ctx, user, meta.CreateOptions{})
	if ignorable(err) != nil {
		return fmt.Errorf("make service account: %w", err)
	}
	return nil
}

func live(ctx context.Context, c *cluster, arguments []string) error {
	taskManagers, err := count(arguments[2], 1000)
	if err != nil {
		return err
	}
	p := pipeline{
		namespace: arguments[0], name: arguments[1], taskManagers: taskManagers, address: arguments[3], state: "RUNNING",
	}
	if err = makeNamespace(ctx, c, p.namespace); err != nil {
		return err
	}
	if err = p.create(ctx, c); err != nil {
		return err
	}
	if err = waitRunning(ctx, c, p.namespace, 1+taskManagers); err != nil {
		return err
	}
	pods, err := c.client.CoreV1().Pods(p.namespace).List(ctx, meta.ListOptions{LabelSelector: "app=" + p.name})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	for _, pod := range pods.Items {
		fmt.Println(pod.Labels["component"], pod.Name)
	}
	return nil
}

func setJob(ctx context.Context, c *cluster, arguments []string) error {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"jobStatus": map[string]any{
		"jobId": arguments[2], "jobName": arguments[3], "state": optional(arguments, 4, "RUNNING"),
		"startTime": now, "updateTime": now,
	}}})
	if err != nil {
		return err
	}
	_, err = c.dynamic.Resource(flinkDeployments).Namespace(arguments[0]).Patch(ctx, arguments[1],
		types.MergePatchType, patch, meta.PatchOptions{}, "status")
	return err
}
