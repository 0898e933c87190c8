package pbx

import (
	"fmt"
	"strings"
	"time"
)

// span tells how long something took, to the second, in both languages; in
// Russian in the accusative, which is what stands after "за" and "через". It is
// zero for less than half a second.
func span(d time.Duration) Text {
	d = d.Round(time.Second)
	if d <= 0 {
		return Text{}
	}
	h, m, s := int(d/time.Hour), int(d/time.Minute)%60, int(d/time.Second)%60
	if d < 2*time.Minute { // people count that in seconds
		m, s = 0, int(d/time.Second)
	}
	var en, ru []string
	if h > 0 {
		en, ru = append(en, fmt.Sprintf("%d h", h)), append(ru, plural(h, "час", "часа", "часов"))
	}
	if m > 0 {
		en, ru = append(en, fmt.Sprintf("%d min", m)), append(ru, plural(m, "минуту", "минуты", "минут"))
	}
	if s > 0 {
		en, ru = append(en, fmt.Sprintf("%d s", s)), append(ru, plural(s, "секунду", "секунды", "секунд"))
	}
	return Text{EN: strings.Join(en, " "), RU: strings.Join(ru, " ")}
}

// plural puts the form of a Russian noun behind its number: 1 секунду,
// 2 секунды, 5 секунд, 11 секунд, 21 секунду.
func plural(n int, one, few, many string) string {
	form := many
	switch {
	case n%100 >= 11 && n%100 <= 14:
	case n%10 == 1:
		form = one
	case n%10 >= 2 && n%10 <= 4:
		form = few
	}
	return fmt.Sprintf("%d %s", n, form)
}
