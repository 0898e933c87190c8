//go:build !race

package amd_test

const raced = false
