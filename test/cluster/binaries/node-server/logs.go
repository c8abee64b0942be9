package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const lookAgain = 100 * time.Millisecond

// logOptions is what `kubectl logs` can ask for.
type logOptions struct {
	follow, previous, timestamps bool
	since                        time.Time
	// Negative: all.
	tail, limit int
}

func readLogOptions(r *http.Request) (options logOptions, err error) {
	query := r.URL.Query()
	options.tail, options.limit = -1, -1
	options.follow = query.Get("follow") == "true"
	options.previous = query.Get("previous") == "true"
	options.timestamps = query.Get("timestamps") == "true"
	for name, number := range map[string]*int{"tailLines": &options.tail, "limitBytes": &options.limit} {
		if text := query.Get(name); text != "" && err == nil {
			*number, err = strconv.Atoi(text)
		}
	}
	if text := query.Get("sinceSeconds"); text != "" && err == nil {
		var seconds int
		seconds, err = strconv.Atoi(text)
		options.since = time.Now().Add(-time.Duration(seconds) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" && err == nil {
		options.since, err = time.Parse(time.RFC3339, text)
	}
	return options, err
}

func sendLog(w http.ResponseWriter, r *http.Request, of *container) {
	options, err := readLogOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	path := of.logPath
	if options.previous {
		if path = of.previousLog; path == "" {
			http.Error(w, fmt.Sprintf("previous terminated container %q not found", keyOf(r)), http.StatusBadRequest)
			return
		}
	}
	file, err := os.Open(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer func() { _ = file.Close() }()
	w.Header().Set("Content-Type", "text/plain")
	writer := &limited{to: w, left: options.limit}
	reader := bufio.NewReader(file)
	for _, line := range last(options.tail, readLines(reader, options)) {
		writer.write(line)
	}
	for options.follow && !options.previous && writer.left != 0 {
		if flusher, can := w.(http.Flusher); can {
			flusher.Flush()
		}
		ended := false
		select {
		case <-r.Context().Done():
			return
		case <-of.ended:
			ended = true
		case <-time.After(lookAgain):
		}
		for _, line := range readLines(reader, options) {
			writer.write(line)
		}
		if ended {
			return
		}
	}
}

// readLines reads the lines that are there.
func readLines(reader *bufio.Reader, options logOptions) (lines []string) {
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			// A line is written at once, so there is no half of one.
			return lines
		}
		at, rest, _ := strings.Cut(line, " ")
		_, text, _ := strings.Cut(rest, " ")
		if written, err := time.Parse(time.RFC3339Nano, at); err == nil && written.Before(options.since) {
			continue
		}
		if options.timestamps {
			text = at + " " + text
		}
		lines = append(lines, text)
	}
}

func last(count int, lines []string) []string {
	if count < 0 || count > len(lines) {
		return lines
	}
	return lines[len(lines)-count:]
}

type limited struct {
	to io.Writer
	// Negative: no limit.
	left int
}

func (l *limited) write(text string) {
	if l.left >= 0 {
		text = text[:min(l.left, len(text))]
		l.left -= len(text)
	}
	_, _ = io.WriteString(l.to, text)
}
