package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// serve takes orders from the kubelet at a socket, and requests of the API server at an address.
func serve(socketPath, address string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	all := &containers{program: program, byKey: map[string]*container{}}
	orders, err := net.Listen("unix", socketPath)
	if err != nil {
		return err
	}
	requests, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	certificate, err := newCertificate()
	if err != nil {
		return err
	}
	failed := make(chan error)
	go func() { failed <- http.Serve(orders, all.orders()) }()
	go func() {
		server := http.Server{Handler: all.requests(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
		failed <- server.ServeTLS(requests, "", "")
	}()
	return <-failed
}

// requests is what an API server asks a kubelet for. It asks nobody who they are.
func (all *containers) requests() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeExec(w, r, all, keyOf(r), "", "", r.Form["command"], options,
			4*time.Hour, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
	})
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		found, err := all.find(keyOf(r))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		sendLog(w, r, found)
	})
	return mux
}

func keyOf(r *http.Request) string {
	return r.PathValue("namespace") + "/" + r.PathValue("pod") + "/" + r.PathValue("container")
}

// order is what the kubelet writes; each order uses some of it.
type order struct {
	Container          string
	Netns, Spec, Log   string
	Signal             int
	Command            []string
	Scheme, Host, Path string
	Port               int
	Headers            map[string]string
	TimeoutSeconds     float64
}

func (o order) timeout() time.Duration {
	return time.Duration(o.TimeoutSeconds * float64(time.Second))
}

func (all *containers) orders() http.Handler {
	mux := http.NewServeMux()
	handle := func(name string, do func(context.Context, order) (any, error)) {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) {
			var o order
			err := json.NewDecoder(r.Body).Decode(&o)
			var answer any
			if err == nil {
				answer, err = do(r.Context(), o)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	handle("start", func(_ context.Context, o order) (any, error) {
		return nil, all.start(o.Container, o.Netns, o.Spec, o.Log)
	})
	handle("wait", func(ctx context.Context, o order) (any, error) {
		found, err := all.find(o.Container)
		if err != nil {
			return nil, err
		}
		select {
		case <-found.ended:
			return found.end, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	handle("signal", func(_ context.Context, o order) (any, error) {
		found, err := all.find(o.Container)
		if err != nil {
			return nil, err
		}
		return nil, found.process.Signal(syscall.Signal(o.Signal))
	})
	handle("forget", func(_ context.Context, o order) (any, error) {
		all.forget(o.Container)
		return nil, nil
	})
	handle("exec", func(ctx context.Context, o order) (any, error) {
		var output buffer
		err := all.ExecInContainer(ctx, o.Container, "", "", o.Command, nil, &output, &output, false, nil, o.timeout())
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, output.String())
		}
		return output.String(), nil
	})
	handle("probe", probe)
	return mux
}

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

// probe connects, or asks by HTTP, from the node's network.
func probe(ctx context.Context, o order) (any, error) {
	address := net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	if o.Scheme == "tcp" {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return nil, connection.Close()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Scheme+"://"+address+o.Path, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range o.Headers {
		request.Header.Set(name, value)
	}
	// A kubelet does not look at certificates either.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return nil, fmt.Errorf("HTTP probe failed with statuscode: %d", response.StatusCode)
	}
	return nil, nil
}

func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	name, err := os.Hostname()
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
