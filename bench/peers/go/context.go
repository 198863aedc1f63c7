package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"
)

const contexts = 200

var kept *tls.Conn // so that nothing is left out as useless

/* SystemCertPool gives a copy of what it read once. */
func makeContext(ready bool) {
	pool, err := x509.SystemCertPool()
	must(err)
	config := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if ready {
		raw, other := net.Pipe()
		kept = tls.Client(raw, config)
		raw.Close()
		other.Close()
	}
}

func makeContexts(ready bool, t *tally) {
	t.restart()
	makeContext(ready)
	t.stop()
	t.first = t.cpu
	t.restart()
	for t.count < contexts && (t.count < 5 || !t.over(500*time.Millisecond)) {
		makeContext(ready)
		t.count++
	}
	t.stop()
}
