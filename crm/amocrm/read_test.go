package amocrm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/crm/amocrm/amosim"
)

// TestM03: a contact is found by its number, and not by the same digits elsewhere.
func TestM03(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		for number, want := range map[string]string{
			"+79161234567": "[1]", "79161234567": "[1]", "9161234567": "[1]", "89161234567": "[1]", "+74950000002": "[2]",
			"+79169161234": "[3]", "+19161234567": "[]", "+79161234560": "[]", "1234": "[]", "": "[]", "anonymous": "[]", "1234567": "[]",
		} {
			found, err := w.client.Contacts(w.Context(), w.a, number)
			got := fmt.Sprint(mapped(found, func(c Contact) int64 { return c.ID }))
			if err != nil || got != want {
				t.Errorf("%q: %s, want %s (%v)", number, got, want, err)
			}
		}
		found, err := w.client.Contacts(w.Context(), w.a, "+79161234567")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%+v", found), "[{ID:1 Name:Иван Петров Responsible:502 Phones:[8 (916) 123-45-67] Leads:[11 12] Companies:[] Tags:[vip]}]"; got != want {
			t.Errorf("%s", got)
		}
		leads, err := w.client.LeadsOf(w.Context(), w.a, found[0])
		if err != nil || len(leads) != 2 || leads[0].Name != "Окна" || !leads[0].Active() || leads[1].Active() {
			t.Errorf("%+v, %v", leads, err)
		}
		one, err := w.client.Contact(w.Context(), w.a, 1)
		if err != nil || fmt.Sprint(one) != fmt.Sprint(found[0]) {
			t.Errorf("%+v, %v", one, err)
		}
		var status *StatusError
		if _, err = w.client.Contact(w.Context(), w.a, 99); !errors.As(err, &status) || status.Status != 404 {
			t.Errorf("%v", err)
		}
	})
}

// spelt writes a Russian number as people do.
func spelt(r *rand.Rand, ten string) string {
	prefix := []string{"+7", "8", "7", "+7 ", "8-", "+7-", "", "8 ", " 8", "+ 7 "}[r.IntN(10)]
	if prefix == "+ 7 " {
		prefix = "+7\u00a0"
	}
	a, b, c, d := ten[:3], ten[3:6], ten[6:8], ten[8:]
	body := []string{a + b + c + d, "(" + a + ") " + b + "-" + c + "-" + d, a + " " + b + " " + c + " " + d, "(" + a + ")" + b + c + d,
		a + "-" + b + "-" + c + "-" + d, a + "." + b + "." + c + "." + d, a + "\u00a0" + b + "\u00a0" + c + d}[r.IntN(7)]
	number := prefix + body
	switch r.IntN(8) {
	case 0:
		return number + " доб. 12"
	case 1:
		return "моб. " + number
	case 2:
		return number + ", +7 499 " + fmt.Sprintf("%07d", r.IntN(10_000_000))
	case 3:
		return number + "; WhatsApp"
	}
	return number
}

// TestM03Variants writes 10,000 numbers onto cards as people do, beside cards that are
// only alike, and looks each up as it comes with a call.
func TestM03Variants(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, seed))
	wrong, missed := 0, 0
	for range 10_000 {
		ten := fmt.Sprintf("9%09d", r.IntN(1_000_000_000))
		near := []byte(ten)
		near[r.IntN(10)] = '0' + byte(r.IntN(10))
		mine := Contact{ID: 1, Phones: []string{"нет", spelt(r, ten)}}
		alike := []Contact{
			{ID: 2, Phones: []string{"+1" + ten, "+375 " + ten, ten[1:], ten + "1", "1" + ten + "23"}},
			{ID: 3, Name: "8" + ten, Phones: []string{"доб. " + ten[:4], ""}},
		}
		if string(near) != ten {
			alike = append(alike, Contact{ID: 4, Phones: []string{spelt(r, string(near))}})
		}
		caller := "+7" + ten
		if !mine.has("RU", caller) {
			missed++
			t.Logf("missed: %q for %s", mine.Phones, caller)
		}
		for _, c := range alike {
			if c.has("RU", caller) {
				wrong++
				t.Logf("wrong: %q for %s", c.Phones, caller)
			}
		}
	}
	if wrong+missed > 0 {
		t.Errorf("%d wrong, %d missed (seed %d)", wrong, missed, seed)
	}
}

func TestNumbersIn(t *testing.T) {
	for s, want := range map[string]string{
		"8 (916) 123-45-67":              "8 (916) 123-45-67",
		"+79161234567,+74950000000":      "+79161234567|+74950000000",
		"+79161234567 +74950000000":      "+79161234567 |+74950000000",
		"8 916 123-45-67 доб. 12345":     "8 916 123-45-67 |12345",
		"тел:89161234567":                "89161234567",
		"1234":                           "",
		"++79161234567":                  "+79161234567",
		"９１６１２３４５６７":                     "",
		"+":                              "",
		"89161234567/89161234568":        "89161234567|89161234568",
		"ru 12345 и ещё 67890":           "12345 |67890",
		"sip:89161234567@host":           "89161234567",
		strings.Repeat("1", 50) + "\x00": strings.Repeat("1", 50),
	} {
		if got := strings.Join(numbersIn(s), "|"); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// TestReads are the lists of the settings.
func TestReads(t *testing.T) {
	s := seed()
	for i := range 300 {
		s.Users = append(s.Users, amosim.SeedUser{ID: int64(1000 + i), Name: fmt.Sprint("user ", i)})
	}
	work(t, amosim.Options{Seed: s}, func(w *office) {
		users, err := w.client.Users(w.Context(), w.a)
		if err != nil || len(users) != 302 || users[0] != (User{501, "Анна", "anna@example.test", true, true}) || users[1].Admin || users[301].ID != 1299 {
			t.Errorf("%d users, %v", len(users), err)
		}
		lines, err := w.client.Pipelines(w.Context(), w.a)
		if err != nil || len(lines) != 1 || !lines[0].Main || lines[0].ID != 700 || len(lines[0].Statuses) != 5 {
			t.Fatalf("%+v, %v", lines, err)
		}
		if st := lines[0].Statuses; !st[0].Unsorted || st[1] != (Status{ID: 701, Name: "Новая"}) || st[3].ID != StatusWon || st[4].ID != StatusLost {
			t.Errorf("%+v", st)
		}
		if leads, err := w.client.LeadsOf(w.Context(), w.a, Contact{}); leads != nil || err != nil {
			t.Errorf("%v, %v", leads, err)
		}
	})
}

// TestManyFound: who has hundreds of cards with the digits of a caller is found among them.
func TestManyFound(t *testing.T) {
	s := seed()
	for i := range 200 {
		s.Contacts = append(s.Contacts, amosim.SeedContact{Name: "заказ 9161234567", Phones: []string{fmt.Sprintf("+7499%07d", i)}})
	}
	slices.Reverse(s.Contacts)
	work(t, amosim.Options{Seed: s}, func(w *office) {
		began := time.Now()
		found, err := w.client.Contacts(w.Context(), w.a, "+79161234567")
		if err != nil || len(found) != 1 || found[0].ID != 1 || time.Since(began) > 100*time.Millisecond {
			t.Errorf("%v, %v", found, err)
		}
	})
}

func FuzzNumbersIn(f *testing.F) {
	for _, s := range []string{"8 (916) 123-45-67 доб. 12", "+7+7", "\x00\xff", "٠١٢٣٤٥", "12345"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range numbersIn(s) {
			if !strings.Contains(s, n) || len(onlyDigits(n)) < shortest {
				t.Errorf("%q in %q", n, s)
			}
			same("RU", n, s)
		}
	})
}
