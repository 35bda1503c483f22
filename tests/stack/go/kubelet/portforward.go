package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

const (
	streamIdle     = 4 * time.Hour
	streamCreation = 30 * time.Second
)

// portForward connects the client with a port of the pod's address. The address belongs to the network of the
// test platform: where nothing listens the connection is refused, as in a pod.
func (s *server) portForward(w http.ResponseWriter, request *http.Request) {
	namespace, name := request.PathValue("namespace"), request.PathValue("pod")
	pod, err := s.pods.lister.Pods(namespace).Get(name)
	if err != nil {
		http.Error(w, fmt.Sprintf("pod %q does not exist", name), http.StatusNotFound)
		return
	}
	options, err := portforward.NewV4Options(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, request, forwarder(pod.Status.PodIP), name, string(pod.UID), options,
		streamIdle, streamCreation, portforward.SupportedProtocols)
}

// forwarder is the address that ports are forwarded to.
type forwarder string

func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	dialer := net.Dialer{Timeout: 5 * time.Second}
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(string(f), strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer connection.Close()
	toPod := make(chan error, 1)
	fromPod := make(chan error, 1)
	go func() {
		_, copyErr := io.Copy(connection, stream)
		if half, ok := connection.(*net.TCPConn); ok {
			half.CloseWrite()
		}
		toPod <- copyErr
	}()
	go func() {
		_, copyErr := io.Copy(stream, connection)
		fromPod <- copyErr
	}()
	select {
	case err = <-fromPod:
	case err = <-toPod:
		if err == nil {
			err = <-fromPod
		}
	}
	return err
}
