// Command stackctl makes and disturbs the objects of the test cluster: pipelines with their pods, restarts,
// out-of-memory kills, log lines, and a bounded stream of status changes.
//
// It is for cases where kubectl would be too slow (thousands of objects) or too weak (a container that
// restarts, which without containers is a change of status and a rotation of its log file).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const usage = `usage: stackctl COMMAND
  fill PIPELINES PODS_PER_PIPELINE [NAMESPACE]   make pipelines and wait until their pods run (namespace: fill)
  churn RATE SECONDS [NAMESPACE]                 change the status of RATE pods each second (all namespaces)
  live NAMESPACE NAME TASK_MANAGERS ADDRESS      one pipeline whose REST service leads to a real Flink
  job NAMESPACE NAME JOB_ID JOB_NAME [STATE]     write a job into the status of a FlinkDeployment
  scale NAMESPACE NAME TASK_MANAGERS             add or remove task manager pods
  restart-pod NAMESPACE POD [CONTAINER]          the container ends with exit code 1 and runs again
  oom-pod NAMESPACE POD [CONTAINER]              it is OOMKilled (137); what comes then is up to restartPolicy
  crash-pod NAMESPACE POD [CONTAINER]            it ends and stays down: CrashLoopBackOff, or Failed
  log NAMESPACE POD CONTAINER                    append standard input to the log, with times
The cluster is that of $STACK_KUBECONFIG, or of $FLOWDECK_STACK_DIR/admin.kubeconfig.`

// errUsage is answered with the usage text.
var errUsage = errors.New("wrong arguments")

// cluster is the cluster that a command works on.
type cluster struct {
	client  kubernetes.Interface
	dynamic dynamic.Interface
	logDir  string
}

func main() {
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, flag.Args())
	stop()
	if errors.Is(err, errUsage) {
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "stackctl: %v\n", err)
		os.Exit(1)
	}
}

// command is a subcommand with the least and the most arguments it takes.
type command struct {
	least, most int
	run         func(ctx context.Context, c *cluster, arguments []string) error
}

var commands = map[string]command{
	"fill":        {2, 3, fill},
	"churn":       {2, 3, churn},
	"live":        {4, 4, live},
	"job":         {4, 5, setJob},
	"scale":       {3, 3, scale},
	"restart-pod": {2, 3, ending{reason: "Error", exitCode: 1, then: restarts}.run},
	"oom-pod":     {2, 3, ending{reason: "OOMKilled", exitCode: 137, then: asPolicySays}.run},
	"crash-pod":   {2, 3, ending{reason: "Error", exitCode: 1, then: backsOff}.run},
	"log":         {3, 3, appendLog},
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errUsage
	}
	command, known := commands[arguments[0]]
	arguments = arguments[1:]
	if !known || len(arguments) < command.least || len(arguments) > command.most {
		return errUsage
	}
	c, err := connect()
	if err != nil {
		return err
	}
	return command.run(ctx, c, arguments)
}

func connect() (*cluster, error) {
	state := os.Getenv("FLOWDECK_STACK_DIR")
	if state == "" {
		state = "/tmp/flowdeck-stack"
	}
	path := os.Getenv("STACK_KUBECONFIG")
	if path == "" {
		path = filepath.Join(state, "admin.kubeconfig")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1 // the callers bound how many requests are under way
	custom, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	config.ContentType = "application/vnd.kubernetes.protobuf" // half the work for the API server
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &cluster{client: client, dynamic: custom, logDir: filepath.Join(state, "pod-logs")}, nil
}

// count reads a whole number between 0 and most.
func count(text string, most int) (int, error) {
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 || number > most {
		return 0, fmt.Errorf("%q is not a number from 0 to %d", text, most)
	}
	return number, nil
}

// optional gives the argument at the index, or the default.
func optional(arguments []string, index int, otherwise string) string {
	if index < len(arguments) {
		return arguments[index]
	}
	return otherwise
}
