package pbx

// Card is what an operator is shown of the target that it is to talk with.
type Card struct {
	Campaign  string            `json:"campaign"`
	Key       string            `json:"key,omitempty"`
	Name      string            `json:"name,omitempty"`
	Number    string            `json:"number"`
	Variables map[string]string `json:"variables,omitempty"`
}
