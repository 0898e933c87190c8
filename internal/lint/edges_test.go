package lint

import (
	"slices"
	"strings"
)

// edges finds imports of ours that the table does not have.
func edges(s source) []string {
	line, known := imports[s.pkg]
	if !known {
		return []string{s.problem(s.ast.Package, "package %s is not in the import table", s.pkg)}
	}
	allowed := strings.Fields(line)
	if s.isTest() {
		allowed = append(allowed, strings.Fields(testImports[s.pkg]+" "+kit)...)
		allowed = append(allowed, s.pkg)
	}
	var found []string
	for _, i := range s.imports() {
		if pkg, ok := ours(i.path); ok && !slices.Contains(allowed, pkg) {
			found = append(found, s.problem(i.pos, "%s may not import %s", s.pkg, pkg))
		}
	}
	return found
}

// strays finds imports of foreign modules outside their fence.
func strays(s source) []string {
	var found []string
	for _, i := range s.imports() {
		for _, f := range fences {
			if below(i.path, f.module) && !f.admits(s) {
				found = append(found, s.problem(i.pos, "%s may not be imported here", i.path))
			}
		}
	}
	return found
}

func (f fence) admits(s source) bool {
	for _, name := range f.files {
		if name == s.name || name == "_test.go" && s.isTest() {
			return true
		}
	}
	for _, pkg := range f.packages {
		tree, whole := strings.CutSuffix(pkg, "/...")
		if s.pkg == pkg || whole && below(s.pkg, tree) {
			return true
		}
	}
	return false
}

// below says whether path is root or stands below it.
func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// cycles finds packages of the table that can reach themselves.
func cycles(table map[string]string) []string {
	var found []string
	for pkg := range table {
		seen := map[string]bool{}
		next := strings.Fields(table[pkg])
		for len(next) > 0 {
			p := next[0]
			next = next[1:]
			if p == pkg {
				found = append(found, pkg+" reaches itself")
				break
			}
			if !seen[p] {
				seen[p] = true
				next = append(next, strings.Fields(table[p])...)
			}
		}
	}
	return found
}

// unknown finds names in a table that are no packages of the import table.
func unknown(table map[string]string) []string {
	var found []string
	for pkg, line := range table {
		for _, p := range strings.Fields(line) {
			if _, ok := imports[p]; !ok {
				found = append(found, pkg+" imports "+p+", which is not in the import table")
			}
		}
	}
	return found
}
