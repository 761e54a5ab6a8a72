package trees

import "math"

const (
	invLn2 = 0x1.71547652b82fep+7 // 128/ln 2
	ln2Hi  = -0x1.62e42fefa0000p-8
	ln2Lo  = -0x1.cf79abc9e3b3ap-47
	shift  = 0x1.8p+52 // adding it rounds to an integer, which then is the low bits
	expC2  = 0x1.ffffffffffdbdp-2
	expC3  = 0x1.555555555543cp-3
	expC4  = 0x1.55555cf172b91p-5
	expC5  = 0x1.1111167a4d017p-7
)

// exp is e**x to the last bit as glibc has it since 2.28 on processors with fused multiply-add, which is where models
// are trained. math.Exp differs from it in the last bit of about one value in ten, and with it a probability would
// differ from the one that training wrote down.
//
// x = k ln 2/128 + r; a table holds 2**(k/128), a polynomial e**r-1. (The algorithm is that of Arm's optimized
// routines.) Where the result is no normal number math.Exp answers.
func exp(x float64) float64 {
	switch a := math.Abs(x); {
	case a < 0x1p-54:
		return 1 + x
	case !(a < 708):
		return math.Exp(x)
	}
	kd := math.FMA(invLn2, x, shift)
	k := math.Float64bits(kd)
	kd -= shift
	r := math.FMA(kd, ln2Lo, math.FMA(kd, ln2Hi, x))
	t := &expTable[k%128]
	r2 := r * r
	p := math.FMA(r2, math.FMA(r, expC3, expC2), math.Float64frombits(t[0])+r)
	p = math.FMA(r2*r2, math.FMA(r, expC5, expC4), p)
	scale := math.Float64frombits(t[1] + k<<45)
	return math.FMA(scale, p, scale)
}

const (
	invLn2Of32 = 0x1.71547652b82fep+5 // 32/ln 2
	exp32C0    = 0x1.c6af84b912394p-5 / (32 * 32 * 32)
	exp32C1    = 0x1.ebfce50fac4f3p-3 / (32 * 32)
	exp32C2    = 0x1.62e42ff0c52d6p-1 / 32
)

// exp32 is expf as glibc has it: computed in double with a shorter table, rounded once.
func exp32(x float32) float32 {
	if a := math.Abs(float64(x)); !(a < 88) {
		return float32(math.Exp(float64(x)))
	}
	kd := math.FMA(invLn2Of32, float64(x), shift)
	k := math.Float64bits(kd)
	kd -= shift
	r := math.FMA(invLn2Of32, float64(x), -kd)
	s := math.Float64frombits(expTable[k%32*4][1] + k<<47)
	y := math.FMA(math.FMA(exp32C0, r, exp32C1), r*r, math.FMA(exp32C2, r, 1))
	return float32(y * s)
}
