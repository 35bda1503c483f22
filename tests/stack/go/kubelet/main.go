// Command kubelet stands in for the kubelets of the test cluster.
//
// A live test needs the API server to be real and the containers not to exist: thousands of pods must be
// Running on a small machine, their logs must be files that a test writes, and a test must be able to break
// any of it. So this program registers nodes, moves pods that are scheduled to them to Running, removes pods
// that are deleted, and serves their logs and port-forwards to the API server over TLS as a kubelet does.
//
// It writes the status of a pod only while the pod is Pending. Later writes to the status belong to the tests.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// apiServerWithin is how long the API server may be away at the start.
const apiServerWithin = time.Minute

type options struct {
	kubeconfig string
	listen     string
	certFile   string
	keyFile    string
	clientCA   string
	logDir     string
	podPrefix  string
	nodes      int
	workers    int
}

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of an administrator")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:10250", "address of the kubelet server")
	flag.StringVar(&o.certFile, "cert", "", "certificate of the kubelet server")
	flag.StringVar(&o.keyFile, "key", "", "key of the kubelet server")
	flag.StringVar(&o.clientCA, "client-ca", "", "authority that signed the API server's client certificate")
	flag.StringVar(&o.logDir, "log-dir", "", "folder with NAMESPACE/POD/CONTAINER.log")
	flag.StringVar(&o.podPrefix, "pod-prefix", "10.213", "first two bytes of the pod addresses")
	flag.IntVar(&o.nodes, "nodes", 3, "how many nodes to register")
	flag.IntVar(&o.workers, "workers", 16, "how many pods are worked on at the same time")
	flag.Parse()
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	if err := run(o); err != nil {
		log.Fatalf("kubelet: %v", err)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1 // the tests set the pace, not the client
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}

	listener, err := listen(o)
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port

	nodes, err := registerNodes(ctx, client, o.nodes, port)
	for deadline := time.Now().Add(apiServerWithin); err != nil && ctx.Err() == nil; {
		if time.Now().After(deadline) {
			return err
		}
		log.Printf("trying again: %v", err)
		time.Sleep(time.Second)
		nodes, err = registerNodes(ctx, client, o.nodes, port)
	}
	go heartbeat(ctx, client, nodes)

	pods := newPodManager(client, nodes, o)
	if err := pods.start(ctx); err != nil {
		return err
	}
	log.Printf("serving on %s, nodes %v", listener.Addr(), nodes)

	server := &http.Server{Handler: newServer(pods, o.logDir).handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		if err := server.Close(); err != nil {
			log.Printf("close server: %v", err)
		}
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// listen takes the port before the nodes name it. Only the API server's client certificate is let in.
func listen(o options) (net.Listener, error) {
	certificate, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	pem, err := os.ReadFile(o.clientCA)
	if err != nil {
		return nil, fmt.Errorf("read client authority: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", o.clientCA)
	}
	return tls.Listen("tcp", o.listen, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authorities,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
}
