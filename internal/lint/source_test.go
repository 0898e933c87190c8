package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source is one parsed Go file.
type source struct {
	pkg  string // of ours: "media/audio"
	name string // of the file, without its folder
	fset *token.FileSet
	ast  *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// imported is one import of a file.
type imported struct {
	path string
	pos  token.Pos
}

func (s source) imports() []imported {
	var list []imported
	for _, spec := range s.ast.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			list = append(list, imported{path, spec.Pos()})
		}
	}
	return list
}

// problem is what a rule found, at its place.
func (s source) problem(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s/%s:%d: %s", s.pkg, s.name, s.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}

// ours cuts the module's name off an import path.
func ours(path string) (pkg string, ok bool) {
	return strings.CutPrefix(path, "vpbx/")
}

// load parses every file of the module, also those that build tags leave out.
func load(t *testing.T) []source {
	t.Helper()
	readFolders(t, "../..")
	cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "vpbx/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []source
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir, ImportPath                                              string
			GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkg, _ := ours(p.ImportPath)
		for _, names := range [][]string{p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles} {
			for _, name := range names {
				all = append(all, parseFile(t, pkg, filepath.Join(p.Dir, name), nil))
			}
		}
	}
}

// readFolders lists every folder of the module. The go command remembers which
// folders a test read: without this it would take the result from its cache
// although a file or package was added.
func readFolders(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatalf("read folders: %v", err)
	}
}

// parseFile parses one file; content may be nil or the text itself.
func parseFile(t *testing.T, pkg, path string, content any) source {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s: %v", pkg, err)
	}
	return source{pkg, filepath.Base(path), fset, f}
}
