// main.go: crypto/tls of Go. The work is that of ../../peer.c, byte for byte.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	warm       = 'w'
	count      = '+'
	last       = '.'
	warmBytes  = 4 << 20
	lookBytes  = 64 << 10
	leastSpace = 16 << 10
	tripBytes  = 64
	warmTrips  = 200
	warmIdle   = 50
	idle       = 400
)

type job struct {
	server   bool
	work     string
	seconds  time.Duration
	number   int
	config   *tls.Config
	listener net.Listener
	address  string
}

type tally struct {
	count  uint64
	wall   time.Duration
	cpu    time.Duration
	start  time.Time
	before time.Duration
	agreed string
	memory float64
	first  time.Duration
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Go:", err)
		os.Exit(1)
	}
}

func cpuNow() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (t *tally) restart() {
	t.count, t.wall, t.cpu = 0, 0, 0
	t.goOn()
}

func (t *tally) goOn() {
	t.before, t.start = cpuNow(), time.Now()
}

func (t *tally) stop() {
	t.cpu += cpuNow() - t.before
	t.wall += time.Since(t.start)
}

func (t *tally) over(seconds time.Duration) bool {
	return t.wall+time.Since(t.start) >= seconds
}

func (t *tally) check(conn *tls.Conn, resumed bool) {
	state := conn.ConnectionState()
	t.agreed = tls.CipherSuiteName(state.CipherSuite)
	if state.DidResume != resumed {
		must(fmt.Errorf("resumed: %v", state.DidResume))
	}
}

func (j *job) open() *tls.Conn {
	conn := j.openUnlessOver()
	if conn == nil {
		must(fmt.Errorf("no connection"))
	}
	return conn
}

/* Nil if the listener was shut down. */
func (j *job) openUnlessOver() *tls.Conn {
	var conn *tls.Conn
	if j.server {
		raw, err := j.listener.Accept()
		if errors.Is(err, syscall.EINVAL) {
			return nil
		}
		must(err)
		conn = tls.Server(raw, j.config)
	} else {
		raw, err := net.Dial("tcp", j.address)
		must(err)
		conn = tls.Client(raw, j.config)
	}
	must(conn.Handshake())
	return conn
}

func write(conn *tls.Conn, data []byte) {
	_, err := conn.Write(data)
	must(err)
}

func read(conn *tls.Conn, data []byte) {
	_, err := io.ReadFull(conn, data)
	must(err)
}

func readEnd(conn *tls.Conn) {
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		must(fmt.Errorf("no end: %v", err))
	}
}

func (j *job) writeBulk(conn *tls.Conn, data []byte, least uint64, t *tally) uint64 {
	sent, look := uint64(0), least
	for {
		write(conn, data)
		sent += uint64(len(data))
		if sent < look {
			continue
		}
		if t == nil || t.over(j.seconds) {
			return sent
		}
		look = sent + lookBytes
	}
}

func readBulk(conn *tls.Conn, space []byte) uint64 {
	for total := uint64(0); ; {
		n, err := conn.Read(space)
		must(err)
		total += uint64(n)
		if n > 0 && space[n-1] != 0 {
			return total - 1
		}
	}
}

func (j *job) bulk(t *tally) {
	conn := j.open()
	if j.server {
		data := make([]byte, j.number)
		j.writeBulk(conn, data, warmBytes, nil)
		write(conn, []byte{warm})
		read(conn, make([]byte, 1))
		t.restart()
		t.count = j.writeBulk(conn, data, 1, t)
		write(conn, []byte{last})
		readEnd(conn)
		t.stop()
	} else {
		size := j.number
		if size < leastSpace {
			size = leastSpace
		}
		space := make([]byte, size)
		t.check(conn, false)
		readBulk(conn, space)
		t.restart()
		write(conn, []byte{count})
		t.count = readBulk(conn, space)
		t.stop()
	}
	conn.Close()
}

func (j *job) trips(t *tally) {
	conn := j.open()
	data := make([]byte, tripBytes)
	if j.server {
		for data[0] != last {
			read(conn, data)
			write(conn, data)
			if data[0] == warm {
				t.restart()
			} else {
				t.count++
			}
		}
		t.stop()
		readEnd(conn)
	} else {
		trip := func(what byte) {
			data[0] = what
			write(conn, data)
			read(conn, data)
		}
		t.check(conn, false)
		for i := 0; i < warmTrips; i++ {
			trip(warm)
		}
		t.restart()
		for ; !t.over(j.seconds); t.count++ {
			trip(count)
		}
		trip(last)
		t.count++
		t.stop()
	}
	conn.Close()
}

func (j *job) serveHandshakes(t *tally) {
	what := make([]byte, 1)
	for what[0] != last {
		conn := j.open()
		read(conn, what)
		write(conn, what)
		readEnd(conn)
		conn.Close()
		if what[0] == warm {
			t.restart()
		} else {
			t.count++
		}
	}
	t.stop()
}

func (j *job) connectOnce(what byte, resumed bool, t *tally) {
	conn := j.open()
	write(conn, []byte{what})
	read(conn, make([]byte, 1))
	t.stop()
	t.check(conn, resumed)
	t.goOn()
	conn.Close()
}

func (j *job) handshakes(t *tally) {
	if j.server {
		j.serveHandshakes(t)
		return
	}
	resumed := j.work == "resumed"
	t.restart()
	j.connectOnce(warm, false, t)
	j.connectOnce(warm, resumed, t)
	t.restart()
	for ; !t.over(j.seconds); t.count++ {
		j.connectOnce(count, resumed, t)
	}
	j.connectOnce(last, resumed, t)
	t.count++
	t.stop()
}

func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	must(err)
	var all, here int
	_, err = fmt.Sscan(string(text), &all, &here)
	must(err)
	return float64(here * os.Getpagesize())
}

func (j *job) hold(t *tally) {
	conns := make([]*tls.Conn, idle)
	before := 0.0
	data := make([]byte, j.number)
	t.restart()
	for i := range conns {
		if i == warmIdle {
			before = resident()
		}
		conns[i] = j.open()
		if !j.server {
			write(conns[i], data)
		}
		read(conns[i], data)
		if j.server {
			write(conns[i], data)
		}
	}
	t.memory = (resident() - before) / (idle - warmIdle)
	t.count = idle
	t.stop()
	if !j.server {
		t.check(conns[0], false)
	}
	for _, conn := range conns {
		if j.server {
			readEnd(conn)
		}
		conn.Close()
	}
}

func (j *job) prepare(version, suite, key, dir string) {
	j.config = &tls.Config{}
	if j.work != "default" {
		j.setAlgorithms(version, suite)
		j.config.SessionTicketsDisabled = j.work != "resumed"
		j.config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	}
	pem, err := os.ReadFile(dir + "/" + key + "-ca.pem")
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	name := "/client-" + key
	if j.server {
		name = "/" + key
	}
	if j.server || j.work == "mutual" {
		pair, err := tls.LoadX509KeyPair(dir+name+".crt", dir+name+".key")
		must(err)
		j.config.Certificates = []tls.Certificate{pair}
	}
	if !j.server {
		j.config.RootCAs = pool
		j.config.ServerName = "localhost"
	} else if j.work == "mutual" {
		j.config.ClientCAs = pool
		j.config.ClientAuth = tls.RequireAndVerifyClientCert
	}
}

/* Those of TLS 1.3 cannot be chosen. */
func (j *job) setAlgorithms(version, suite string) {
	j.config.MinVersion = tls.VersionTLS13
	if version == "1.2" {
		j.config.MinVersion, j.config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	j.config.CipherSuites = map[string][]uint16{
		"aes128": {tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		"aes256": {tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
		"chacha": {tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305},
	}[suite]
	j.config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
}

/* One of the processes of crew.go has a listener already. */
func (j *job) listen() {
	var err error
	if os.Getenv(inherited) != "" {
		j.listener, err = net.FileListener(os.NewFile(3, "listener"))
		must(err)
		return
	}
	j.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(j.listener.Addr().(*net.TCPAddr).Port)
}

func (t *tally) print() {
	fmt.Printf("{\"about\": \"%s crypto/tls\", \"agreed\": \"%s\", \"count\": %d, \"seconds\": %.9f, \"cpu\": %.9f, "+
		"\"memory\": %.0f, \"first\": %.9f}\n",
		runtime.Version(), t.agreed, t.count, t.wall.Seconds(), t.cpu.Seconds(), t.memory, t.first.Seconds())
}

func (j *job) run(t *tally) {
	switch j.work {
	case "bulk":
		j.bulk(t)
	case "trips":
		j.trips(t)
	case "idle":
		j.hold(t)
	case "threads", "processes":
		j.crew(t)
	case "full", "resumed", "default", "mutual":
		j.handshakes(t)
	default:
		must(fmt.Errorf("there is no work %s", j.work))
	}
}

func main() {
	t := tally{}
	if len(os.Args) == 2 {
		makeContexts(os.Args[1] == "ready", &t)
		t.print()
		return
	}
	if len(os.Args) < 9 {
		must(fmt.Errorf("usage: server|client WORK VERSION SUITE KEY DIR SECONDS NUMBER [PORT]; context|ready"))
	}
	args := os.Args[1:]
	seconds, err := strconv.ParseFloat(args[6], 64)
	must(err)
	number, err := strconv.Atoi(args[7])
	must(err)
	j := job{server: args[0] == "server", work: args[1], number: number,
		seconds: time.Duration(seconds * float64(time.Second))}
	j.prepare(args[2], args[3], args[4], args[5])
	if j.server {
		j.listen()
	} else {
		j.address = "127.0.0.1:" + args[8]
	}
	j.run(&t)
	t.print()
}
