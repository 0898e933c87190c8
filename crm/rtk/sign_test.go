package rtk

import (
	"strings"
	"testing"
)

// TestSign holds the golden vectors of the dialect.
func TestSign(t *testing.T) {
	const id, key = "A0000000000000000000000000000001", "B0000000000000000000000000000002"
	for _, c := range []struct{ id, key, body, sign string }{
		{"000003C405E6525C64C184258C44EC99", "00000716ABDA6D4DFF10F82BCBBFC532",
			`{"request_number": "+74951234567","from_sipuri": "test_user@cloudpbx.rt.ru"}`,
			"fc95a524342dc68df90f7488e6d821c5a8a3b667d585490b50ebf939f1202c36"},
		{id, key, `{"session_id":"7f9c24e8-3b12-4c55-9f0a-0d7b6a5e1c11"}`,
			"3d45bb7ff9c0771f6eda0a4b938c4ef2989be4f2f849ee213e9563fb0284061a"},
		{id, key, `{"domain":"demo.vpbx.test"}`,
			"a64097aeeaa59c9cd0cc2a3fa6151b0e8f20ea14c5cd1a347074cb2ed2c701f0"},
		{id, key, `{"request_number":"+79990000001","from_pin":"201","domain":"demo.vpbx.test"}`,
			"18c12bc0c14f9997a24debda942b7b0f2856c40153f43aab1d6e5be414888ebe"},
		{id, key, `{"displayName":"Иван Петров","PIN":"201","result":0,"resultMessage":"OK"}`,
			"a7352d9cf54fd5ca9472fbdbacf0e8dbfd4d924b126ec3a70301a078671fc4a4"},
		{id, key, "", "1c5aedea814af084c6d021c99d77745d888471cff8be73f5c165610d5e48e256"},
	} {
		if got := Sign(c.id, c.key, []byte(c.body)); got != c.sign {
			t.Errorf("Sign(%s) = %s, want %s", c.body, got, c.sign)
		}
		if !Verify(c.id, c.key, []byte(c.body), c.sign) {
			t.Errorf("Verify(%s) refuses the right signature", c.body)
		}
		for _, wrong := range []string{"", c.sign[1:], strings.ToUpper(c.sign), c.sign + "0", strings.Repeat("0", 64)} {
			if Verify(c.id, c.key, []byte(c.body), wrong) {
				t.Errorf("Verify(%s) takes %q", c.body, wrong)
			}
		}
		if Verify(c.id, c.key, []byte(c.body+" "), c.sign) {
			t.Errorf("Verify(%s) takes a changed body", c.body)
		}
	}
}
