package main

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
)

// server answers what the API server asks a kubelet.
type server struct {
	pods   *podManager
	logDir string
}

func newServer(pods *podManager, logDir string) *server {
	return &server{pods: pods, logDir: logDir}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.containerLogs)
	mux.HandleFunc("/portForward/{namespace}/{pod}", s.portForward)
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", s.portForward)
	return mux
}

func (s *server) containerLogs(w http.ResponseWriter, request *http.Request) {
	namespace, name, container := request.PathValue("namespace"), request.PathValue("pod"), request.PathValue("container")
	options, previous, err := parseLogOptions(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod, err := s.pods.lister.Pods(namespace).Get(name)
	if err != nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", name), http.StatusNotFound)
		return
	}
	status := containerStatus(pod, container)
	if status == nil {
		http.Error(w, fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", container, name),
			http.StatusBadRequest)
		return
	}
	file := container + ".log"
	if previous {
		if status.LastTerminationState.Terminated == nil {
			http.Error(w, fmt.Sprintf("previous terminated container %q in pod %q not found", container, name),
				http.StatusBadRequest)
			return
		}
		file, options.follow = container+".previous.log", false
	} else if waiting := status.State.Waiting; waiting != nil && status.RestartCount == 0 {
		http.Error(w, fmt.Sprintf("container %q in pod %q is waiting to start: %s", container, name, waiting.Reason),
			http.StatusBadRequest)
		return
	}

	started := pod.CreationTimestamp.Time
	if status.State.Running != nil {
		started = status.State.Running.StartedAt.Time
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
	flush := func() {
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
	}
	flush()
	reader := newLogReader(filepath.Join(s.logDir, namespace, name, file), started)
	writer := &logWriter{out: w, flush: flush, options: options}
	ended := func() bool { return s.ended(pod, container, status.ContainerID) }
	err = copyLog(request.Context(), reader, writer, ended)
	if err != nil && !errors.Is(err, errLimit) && request.Context().Err() == nil {
		log.Printf("log of %s/%s/%s: %v", namespace, name, container, err)
	}
}

// ended tells whether the container that a client follows is gone, restarted or finished.
func (s *server) ended(pod *core.Pod, container, id string) bool {
	now, err := s.pods.lister.Pods(pod.Namespace).Get(pod.Name)
	if err != nil || now.UID != pod.UID {
		return true
	}
	status := containerStatus(now, container)
	return status == nil || status.ContainerID != id || status.State.Running == nil
}

func containerStatus(pod *core.Pod, name string) *core.ContainerStatus {
	for _, list := range [][]core.ContainerStatus{
		pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses,
	} {
		for index := range list {
			if list[index].Name == name {
				return &list[index]
			}
		}
	}
	return nil
}

func parseLogOptions(request *http.Request) (options logOptions, previous bool, err error) {
	query := request.URL.Query()
	flag := func(name string) bool {
		value := query.Get(name)
		return value == "true" || value == "1"
	}
	number := func(name string) int64 {
		value := query.Get(name)
		if value == "" {
			return -1
		}
		count, parseErr := strconv.ParseInt(value, 10, 64)
		if parseErr != nil || count < 0 {
			err = fmt.Errorf("%s: %q is not a count", name, value)
		}
		return count
	}
	options = logOptions{
		follow: flag("follow"), timestamps: flag("timestamps"), tail: number("tailLines"), limit: number("limitBytes"),
	}
	if seconds := number("sinceSeconds"); seconds >= 0 {
		options.since = time.Now().Add(-time.Duration(seconds) * time.Second)
	}
	if value := query.Get("sinceTime"); value != "" {
		if options.since, err = time.Parse(time.RFC3339Nano, value); err != nil {
			return options, false, fmt.Errorf("sinceTime: %w", err)
		}
	}
	switch query.Get("stream") {
	case "Stdout":
		options.stream = "stdout"
	case "Stderr":
		options.stream = "stderr"
	}
	return options, flag("previous"), err
}
