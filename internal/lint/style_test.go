package lint

import (
	"go/ast"
	"strconv"
	"strings"
)

// surprises finds init functions and panics outside tests. The panic by which
// net/http has a handler cut off its answer is none.
func surprises(s source) []string {
	var found []string
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				found = append(found, s.problem(n.Pos(), "init function: a reader cannot see that it runs"))
			}
		case *ast.CallExpr:
			name, ok := n.Fun.(*ast.Ident)
			if ok && name.Name == "panic" && !s.isTest() && mayPanic[s.pkg] == "" && !(len(n.Args) == 1 && isSelector(n.Args[0], "http", "ErrAbortHandler")) {
				found = append(found, s.problem(n.Pos(), "panic: return an error"))
			}
		}
		return true
	})
	return found
}

// sleepers finds time.Sleep in test files that do not work with the fake clock
// of testing/synctest. They do when they import it, or when they call a
// function of a file of their package that does.
func sleepers(all []source) []string {
	bubbles := map[string]bool{} // "package function"
	for _, s := range all {
		if s.importName("testing/synctest") == "" {
			continue
		}
		for _, decl := range s.ast.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && uses(d, s.importName("testing/synctest"), "Test") {
				bubbles[s.pkg+" "+d.Name.Name] = true
			}
		}
	}
	var found []string
	for _, s := range all {
		clock := s.importName("time")
		if !s.isTest() || clock == "" || inBubbles[s.pkg] != "" || s.importName("testing/synctest") != "" || s.callsAny(bubbles) {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if isSelector(n, clock, "Sleep") {
				found = append(found, s.problem(n.Pos(), "time.Sleep in a test with a real clock: wait for what is meant"))
			}
			return true
		})
	}
	return found
}

// callsAny says whether the file calls one of functions ("package function").
func (s source) callsAny(functions map[string]bool) bool {
	calls := false
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.Ident); ok {
				calls = calls || functions[s.pkg+" "+name.Name]
			}
		}
		return !calls
	})
	return calls
}

// uses says whether pkg.name occurs below n.
func uses(n ast.Node, pkg, name string) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		found = found || isSelector(n, pkg, name)
		return !found
	})
	return found
}

func isSelector(n ast.Node, pkg, name string) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// importName is the name under which a file knows an imported package, "" when
// it does not import it.
func (s source) importName(path string) string {
	for _, spec := range s.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != path {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path[strings.LastIndex(path, "/")+1:]
	}
	return ""
}

// undocumented finds exported names without a comment. A method whose meaning
// the standard library fixes needs none, and one comment may stand above a
// block of functions if it names them.
func undocumented(s source) []string {
	if s.isTest() || s.ast.Name.Name == "main" {
		return nil
	}
	var found []string
	comment, end := "", 0 // of the declaration before
	for _, decl := range s.ast.Decls {
		start := s.fset.Position(decl.Pos()).Line
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Doc != nil || start != end+1 {
				comment = d.Doc.Text()
			}
			exported := d.Name.IsExported() && receiverIsExported(d)
			if exported && d.Doc == nil && !isUsual(d) && !strings.Contains(comment, d.Name.Name) {
				found = append(found, s.problem(d.Pos(), "%s has no comment", d.Name.Name))
			}
		case *ast.GenDecl:
			comment = ""
			found = append(found, s.undocumentedSpecs(d)...)
		}
		end = s.fset.Position(decl.End()).Line
	}
	return found
}

// undocumentedSpecs looks at types, variables and constants. The comment of a
// group is enough for the constants and variables in it, one on the line for
// each of them.
func (s source) undocumentedSpecs(d *ast.GenDecl) []string {
	var found []string
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				found = append(found, s.problem(spec.Pos(), "%s has no comment", spec.Name.Name))
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
					found = append(found, s.problem(name.Pos(), "%s has no comment", name.Name))
				}
			}
		}
	}
	return found
}

// receiverIsExported is true for a function and for a method that a reader of
// the package's documentation meets.
func receiverIsExported(d *ast.FuncDecl) bool {
	return d.Recv == nil || ast.IsExported(receiver(d))
}

// receiver is the name of a method's type, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func isUsual(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	switch d.Name.Name {
	case "Error", "Unwrap", "String", "Len", "Less", "Swap",
		"MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "LogValue":
		return true
	}
	return false
}

// unintroduced finds packages without a package comment in doc.go.
func unintroduced(all []source) []string {
	has := map[string]bool{}
	first := map[string]source{}
	for _, s := range all {
		if _, ok := first[s.pkg]; !ok {
			first[s.pkg] = s
		}
		if s.name == "doc.go" && s.ast.Doc != nil {
			has[s.pkg] = true
		}
	}
	var found []string
	for pkg, s := range first {
		if !has[pkg] {
			found = append(found, s.problem(s.ast.Package, "package %s has no doc.go with a package comment", pkg))
		}
	}
	return found
}

// homeless finds exported methods of store that take a context but no tenant,
// and are not on the list of those that need none. It marks what it met of the
// list in used.
func homeless(s source, used map[string]bool) []string {
	if s.pkg != "store" || s.isTest() {
		return nil
	}
	var found []string
	for _, decl := range s.ast.Decls {
		d, ok := decl.(*ast.FuncDecl)
		if !ok || !d.Name.IsExported() || !ast.IsExported(receiver(d)) || !takes(d, "context", "Context") || takes(d, "pbx", "TenantID") {
			continue
		}
		name := receiver(d) + "." + d.Name.Name
		if _, listed := tenantless[name]; listed {
			used[name] = true
			continue
		}
		found = append(found, s.problem(d.Pos(), "%s takes no pbx.TenantID: whose data does it read?", name))
	}
	return found
}

// takes says whether a function has a parameter of type pkg.name.
func takes(d *ast.FuncDecl, pkg, name string) bool {
	for _, field := range d.Type.Params.List {
		if isSelector(field.Type, pkg, name) {
			return true
		}
	}
	return false
}
