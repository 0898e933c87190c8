package lint

import (
	"slices"
	"testing"
)

// TestProgram applies every rule to the whole module.
func TestProgram(t *testing.T) {
	all := load(t)
	for name, rule := range map[string]func(source) []string{
		"imports": edges, "foreign modules": strays, "surprises": surprises, "comments": undocumented,
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range all {
				report(t, rule(s))
			}
		})
	}
	t.Run("sleeps", func(t *testing.T) { report(t, sleepers(all)) })
	t.Run("package comments", func(t *testing.T) { report(t, unintroduced(all)) })
	t.Run("tenants", func(t *testing.T) {
		used := map[string]bool{}
		hasStore := false
		for _, s := range all {
			report(t, homeless(s, used))
			hasStore = hasStore || s.pkg == "store"
		}
		for name := range tenantless {
			if hasStore && !used[name] {
				t.Errorf("store has no %s that takes no tenant: take it off the list", name)
			}
		}
	})
}

func report(t *testing.T, problems []string) {
	t.Helper()
	slices.Sort(problems)
	for _, p := range problems {
		t.Error(p)
	}
}

// TestTable checks the table itself: it names only packages that it has, and
// has no cycle.
func TestTable(t *testing.T) {
	report(t, unknown(imports))
	report(t, unknown(testImports))
	report(t, unknown(map[string]string{"kit": kit}))
	report(t, cycles(imports))
}
