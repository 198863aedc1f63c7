package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Tells one of the processes of a server that it has its listener already.
const inherited = "BENCH_LISTENER"

/* As ../../work_crew.c; what the client's processes are there, are goroutines here. */
func (j *job) crew(t *tally) {
	switch {
	case !j.server:
		j.connectCrew(t)
	case os.Getenv(inherited) != "":
		runtime.GOMAXPROCS(1)
		j.serveCrew(1, t)
	case j.work == "processes":
		j.serveProcesses(t)
	default:
		runtime.GOMAXPROCS(j.number)
		j.serveCrew(j.number, t)
	}
}

/* The clock is the process's: the last warm one of all resets it. */
func (j *job) serveCrew(number int, t *tally) {
	var counted uint64
	var lock sync.Mutex
	var all sync.WaitGroup
	t.restart()
	for i := 0; i < number; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j.serveOne(&counted, func() {
				lock.Lock()
				t.restart()
				lock.Unlock()
			}) {
			}
		}()
	}
	all.Wait()
	t.stop()
	t.count = counted
}

func (j *job) serveOne(counted *uint64, isWarm func()) bool {
	what := make([]byte, 1)
	conn := j.openUnlessOver()
	if conn == nil {
		return false
	}
	read(conn, what)
	write(conn, what)
	readEnd(conn)
	conn.Close()
	if what[0] == warm {
		isWarm()
	} else {
		atomic.AddUint64(counted, 1)
	}
	if what[0] == last {
		raw, err := j.listener.(*net.TCPListener).SyscallConn()
		must(err)
		must(raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }))
	}
	return true
}

/* This program again, so many times, with the listener as descriptor 3. */
func (j *job) serveProcesses(t *tally) {
	file, err := j.listener.(*net.TCPListener).File()
	must(err)
	outs := make([]bytes.Buffer, j.number)
	processes := make([]*exec.Cmd, j.number)
	for i := range processes {
		processes[i] = exec.Command(os.Args[0], os.Args[1:]...)
		processes[i].Env = append(os.Environ(), inherited+"=3")
		processes[i].ExtraFiles = []*os.File{file}
		processes[i].Stdout = &outs[i]
		processes[i].Stderr = os.Stderr
		processes[i].SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		must(processes[i].Start())
	}
	for i := range processes {
		var found struct {
			Count uint64
			Cpu   float64
		}
		must(processes[i].Wait())
		must(json.Unmarshal(outs[i].Bytes(), &found))
		t.count += found.Count
		t.cpu += time.Duration(found.Cpu * float64(time.Second))
	}
}

func (j *job) connectCrew(t *tally) {
	var counted uint64
	var isWarm, all sync.WaitGroup
	begin := make(chan struct{})
	number := 2*j.number + 2
	isWarm.Add(number)
	all.Add(number)
	for i := 0; i < number; i++ {
		go func() {
			defer all.Done()
			j.connectPlain(warm)
			j.connectPlain(warm)
			isWarm.Done()
			<-begin
			for over := false; !over; atomic.AddUint64(&counted, 1) {
				over = t.over(j.seconds)
				j.connectPlain(count)
			}
		}()
	}
	isWarm.Wait()
	t.restart()
	close(begin)
	all.Wait()
	t.stop()
	t.count = counted + 1
	t.agreed = j.connectPlain(last)
}

/* A connection with a byte there and back; it gives the suite. */
func (j *job) connectPlain(what byte) string {
	t := tally{}
	conn := j.open()
	write(conn, []byte{what})
	read(conn, make([]byte, 1))
	t.check(conn, false)
	if err := conn.Close(); err != nil {
		must(fmt.Errorf("cannot close: %v", err))
	}
	return t.agreed
}
