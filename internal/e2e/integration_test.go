package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestIntegrationSample runs the example of docs/integration.md, which signs with
// openssl and asks with curl, against a real server: its signature is taken.
func TestIntegrationSample(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	need(t, "openssl")
	s := serve(t, serverOptions{Company: `
tenant: demo
domain: demo.vpbx.test
extensions: [{number: "201", name: Ann, password: secret-201}]
crm:
  kind: rtk
  url: http://127.0.0.1:9
  client_id: A0000000000000000000000000000001
  sign_key: B0000000000000000000000000000002
`})
	page, err := os.ReadFile("../../docs/integration.md")
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	if sample == nil {
		t.Fatal("the page has no example")
	}
	for base, want := range map[string]string{"/rtk/call_back": `"result":"-20"`, "/call_back": `"result":"-20"`, "/rtk/nonsense": `"result":"-8"`} {
		script := strings.Replace(string(sample[1]), "https://pbx.example.org/rtk/call_back", "http://"+s.http+base, 1)
		answer, err := exec.CommandContext(t.Context(), "sh", "-c", script+"\necho $SIGN").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(answer); !strings.Contains(got, want) || !strings.Contains(got, "18c12bc0c14f9997a24debda942b7b0f2856c40153f43aab1d6e5be414888ebe") {
			t.Errorf("%s: %s", base, got)
		}
	}
}
