package probes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// maxHeader bounds what a request may send; a probe sends a few hundred bytes.
const maxHeader = 16 << 10

// webServer answers HTTP and HTTPS requests to a port: 200 for its liveness
// and startup probes, 503 for all else.
func webServer(p port) *http.Server {
	return &http.Server{
		ReadTimeout: connTime / 2, WriteTimeout: connTime / 2, MaxHeaderBytes: maxHeader,
		ErrorLog:     log.New(io.Discard, "", 0),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Content-Length", "0")
			if !p.answers(r) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}),
	}
}

// answers reports whether a request is one of the port's liveness or startup
// probes. Readiness probes of the same target are known by their headers.
func (p port) answers(r *http.Request) bool {
	live, ready := p.asking(p.Live, r), p.asking(p.Ready, r)
	named := names(slices.Concat(live, ready))
	is := func(q probe) bool { return q.sent(r, named) }
	switch {
	case r.Method != http.MethodGet, len(live) == 0:
		return false
	case slices.ContainsFunc(live, is):
		return true
	}
	return !slices.ContainsFunc(ready, is)
}

// asking are the probes of a request's scheme and target.
func (p port) asking(list []probe, r *http.Request) []probe {
	via := viaHTTP
	if r.TLS != nil {
		via = viaHTTPS
	}
	return slices.DeleteFunc(slices.Clone(list), func(q probe) bool { return q.Via != via || q.Target != r.RequestURI })
}

// names are the headers that some of the probes set, with the values that they
// set them to: only those tell probes apart.
func names(list []probe) map[string][][]string {
	all := map[string][][]string{}
	for _, p := range list {
		for k, v := range p.Headers {
			all[k] = append(all[k], v)
		}
	}
	return all
}

// sent reports whether the request has each of the named headers as the probe
// sets it, or, where it does not, as none of the probes does.
func (p probe) sent(r *http.Request, named map[string][][]string) bool {
	for k, values := range named {
		got := r.Header[k]
		if k == hostHeader {
			got = []string{r.Host}
		}
		if !slices.ContainsFunc(values, func(v []string) bool { return slices.Equal(v, got) }) {
			got = nil // kubelet's own
		}
		if !slices.Equal(got, p.Headers[k]) {
			return false
		}
	}
	return true
}

// selfSigned makes a certificate for this process alone: kubelet does not look
// at who signed it (Probe v1 core, HTTPGetAction scheme).
func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for HTTPS: %w", err)
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "amber-probes"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for HTTPS: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
	}, nil
}

// rpcServer answers the gRPC health protocol (grpc.health.v1) on a port.
func rpcServer(p port) *grpc.Server {
	s := grpc.NewServer(
		grpc.ConnectionTimeout(connTime/2), grpc.MaxConcurrentStreams(4), grpc.MaxRecvMsgSize(4<<10), grpc.MaxHeaderListSize(maxHeader),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: connTime / 2, MaxConnectionAgeGrace: time.Second}),
	)
	healthpb.RegisterHealthServer(s, health{port: p})
	return s
}

type health struct {
	healthpb.UnimplementedHealthServer
	port port
}

// Check says SERVING for the services that liveness and startup probes ask.
func (h health) Check(_ context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	asks := func(p probe) bool { return p.Via == viaGRPC && p.Service == r.GetService() }
	switch {
	case slices.ContainsFunc(h.port.Live, asks):
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	case slices.ContainsFunc(h.port.Ready, asks):
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING}, nil
	}
	return nil, status.Error(codes.NotFound, "unknown service")
}
