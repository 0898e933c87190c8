package phone

import (
	"strconv"
	"strings"
	"time"
)

// maxAnswerAfter is the longest wait that a caller can ask for before an answer.
const maxAnswerAfter = time.Minute

// AutoAnswer says whether an incoming call asks the phone to answer by itself: by
// which headers, as they stand in the INVITE, and after what time. No headers means
// that it does not.
func (c *Call) AutoAnswer() (after time.Duration, by []string) {
	for _, name := range []string{"Alert-Info", "Call-Info", "Answer-Mode", "Priv-Answer-Mode"} {
		for _, value := range c.Headers(name) {
			if d, ok := autoAnswer(name, value); ok {
				after, by = max(after, d), append(by, name+": "+value)
			}
		}
	}
	return after, by
}

// autoAnswer reads one header: Answer-Mode of RFC 5373, the answer-after of
// Call-Info, or one of the words that phones know in Alert-Info.
func autoAnswer(name, value string) (after time.Duration, ok bool) {
	lower := strings.ToLower(value)
	switch name {
	case "Answer-Mode", "Priv-Answer-Mode":
		mode, _, _ := strings.Cut(lower, ";")
		return 0, strings.TrimSpace(mode) == "auto"
	case "Alert-Info", "Call-Info":
		_, params, _ := strings.Cut(lower, ">")
		if seconds, err := strconv.Atoi(param(params, "answer-after")); err == nil && seconds >= 0 {
			return min(time.Duration(seconds)*time.Second, maxAnswerAfter), seconds <= int(maxAnswerAfter/time.Second)
		}
	}
	if name != "Alert-Info" {
		return 0, false
	}
	for _, word := range []string{"alert-autoanswer", "auto answer", "auto-answer", "autoanswer", "intercom"} {
		if strings.Contains(lower, word) {
			return 0, true
		}
	}
	return 0, false
}
