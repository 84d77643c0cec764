// What the kernels' files of no particular instruction set begin with: whatever the compiler's baseline has. NEON on
// AArch64; SSE2, without fma, on x86-64.
#if defined(__FMA__) || defined(__aarch64__)
#define CLOSS_HAS_FMA 1
#else
#define CLOSS_HAS_FMA 0
#endif
#if defined(__F16C__) || defined(__aarch64__)
#define CLOSS_HAS_HALF 1
#else
#define CLOSS_HAS_HALF 0
#endif
#define CLOSS_HAS_WIDE_SHUFFLES 0
#define CLOSS_TABLE_LANES 1
#define OF_ISA(name) name##_generic
#define ISA_HERE CLOSS_ISA_GENERIC
