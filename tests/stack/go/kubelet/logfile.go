package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

const (
	// timeLayout has nine digits always, as container runtimes write it.
	timeLayout = "2006-01-02T15:04:05.000000000Z07:00"
	// rawStep keeps the times of lines without a time of their own in order.
	rawStep = time.Microsecond
	pollMin = 20 * time.Millisecond
	pollMax = 160 * time.Millisecond
)

// logLine is one line without its line feed.
type logLine struct {
	at     time.Time
	stream string
	text   []byte
	open   bool // the file ended before a line feed
}

// logOptions are what a client may ask of a log.
type logOptions struct {
	follow     bool
	timestamps bool
	tail       int64 // negative: all
	limit      int64 // bytes, negative: no limit
	since      time.Time
	stream     string // empty: both
}

// parseLine reads "TIME stdout F TEXT", the form of container runtimes. Any other line is text of stdout whose
// time is just after the line before it, so that it has the same time however often it is read.
func parseLine(line []byte, before time.Time) logLine {
	parts := bytes.SplitN(line, []byte{' '}, 4)
	if len(parts) >= 3 && (string(parts[1]) == "stdout" || string(parts[1]) == "stderr") &&
		(string(parts[2]) == "F" || string(parts[2]) == "P") {
		if at, err := time.Parse(time.RFC3339Nano, string(parts[0])); err == nil {
			var text []byte
			if len(parts) == 4 {
				text = parts[3]
			}
			return logLine{at: at, stream: string(parts[1]), text: text}
		}
	}
	return logLine{at: before.Add(rawStep), stream: "stdout", text: line}
}

// logReader reads the lines of a file that may be appended to, truncated or replaced meanwhile.
type logReader struct {
	path    string
	started time.Time
	file    *os.File
	offset  int64
	last    time.Time
	rest    []byte
	chunk   []byte
}

func newLogReader(path string, started time.Time) *logReader {
	return &logReader{path: path, started: started, last: started, chunk: make([]byte, 64<<10)}
}

func (r *logReader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// readAll hands every whole line up to the present end to emit.
func (r *logReader) readAll(emit func(logLine) error) error {
	if r.file == nil {
		file, err := os.Open(r.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		r.file, r.offset, r.rest, r.last = file, 0, nil, r.started
	}
	for {
		count, err := r.file.ReadAt(r.chunk, r.offset)
		r.offset += int64(count)
		data := r.chunk[:count]
		for {
			end := bytes.IndexByte(data, '\n')
			if end < 0 {
				break
			}
			line := append(r.rest, data[:end]...)
			r.rest, data = nil, data[end+1:]
			if err := r.emit(line, false, emit); err != nil {
				return err
			}
		}
		r.rest = append(r.rest, data...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *logReader) emit(line []byte, open bool, emit func(logLine) error) error {
	parsed := parseLine(line, r.last)
	parsed.open = open
	r.last = parsed.at
	return emit(parsed)
}

// flushRest emits what stands after the last line feed.
func (r *logReader) flushRest(emit func(logLine) error) error {
	if len(r.rest) == 0 {
		return nil
	}
	line := r.rest
	r.rest = nil
	return r.emit(line, true, emit)
}

// moved tells whether the path now names another file, or this one was cut short.
func (r *logReader) moved() bool {
	now, err := os.Stat(r.path)
	if err != nil || r.file == nil {
		return false
	}
	mine, err := r.file.Stat()
	if err != nil {
		return true
	}
	return inode(now) != inode(mine) || now.Size() < r.offset
}

func inode(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}

// errLimit ends a log that has reached the client's byte limit.
var errLimit = errors.New("byte limit reached")

// logWriter formats lines for the client.
type logWriter struct {
	out     io.Writer
	flush   func()
	options logOptions
	written int64
}

func (w *logWriter) line(line logLine) error {
	if !w.options.since.IsZero() && line.at.Before(w.options.since) {
		return nil
	}
	if w.options.stream != "" && w.options.stream != line.stream {
		return nil
	}
	var out []byte
	if w.options.timestamps {
		out = append(line.at.UTC().AppendFormat(out, timeLayout), ' ')
	}
	out = append(out, line.text...)
	if !line.open {
		out = append(out, '\n')
	}
	limited := w.options.limit >= 0 && w.written+int64(len(out)) >= w.options.limit
	if limited {
		out = out[:w.options.limit-w.written]
	}
	count, err := w.out.Write(out)
	w.written += int64(count)
	if err == nil && limited {
		err = errLimit
	}
	return err
}

// copyLog writes the log and, if asked to follow, what is appended until ended says that the container is gone.
func copyLog(ctx context.Context, reader *logReader, writer *logWriter, ended func() bool) error {
	defer reader.close()
	if err := copyPresent(reader, writer); err != nil {
		return err
	}
	if !writer.options.follow {
		return reader.flushRest(writer.line)
	}
	writer.flush()
	pause := pollMin
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		over := ended()
		moved := reader.moved()
		before := reader.offset
		if err := reader.readAll(writer.line); err != nil {
			return err
		}
		pause = min(pause*2, pollMax)
		if reader.offset != before {
			writer.flush()
			pause = pollMin
		}
		if moved {
			reader.close()
			pause = pollMin
		} else if over {
			return reader.flushRest(writer.line)
		}
	}
}

// copyPresent writes what the file holds now: all of it, or its last lines.
func copyPresent(reader *logReader, writer *logWriter) error {
	if writer.options.tail < 0 {
		return reader.readAll(writer.line)
	}
	var last []logLine
	count := int(writer.options.tail)
	next := 0
	err := reader.readAll(func(line logLine) error {
		if count == 0 {
			return nil
		}
		if len(last) < count {
			last = append(last, line)
		} else {
			last[next] = line
			next = (next + 1) % count
		}
		return nil
	})
	if err != nil {
		return err
	}
	for index := range last {
		if err := writer.line(last[(next+index)%len(last)]); err != nil {
			return err
		}
	}
	return nil
}
