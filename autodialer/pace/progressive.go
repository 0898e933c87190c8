package pace

// Progressive is how many calls progressive dialling launches now: one for each operator
// who is free and for whom none is dialled yet. Dialling counts the calls from their
// launch until they are over or an operator has taken them.
func Progressive(free, dialling int) int { return max(0, free-dialling) }
