package call

import "vpbx/routing"

// toOperator calls the target and joins it with whoever of the campaign's queue is free.
func (c *Call) toOperator(dial routing.Dial) {
	if c.reachTarget(dial) != nil {
		return
	}
	machine, err := c.metMachine()
	switch {
	case err != nil:
	case machine:
		c.leaveMessage()
	default:
		_ = c.connectTarget(c.campaign.order.Settings.Operators.Queue)
	}
}
