/* Copy and triad past the cache (non-temporal stores): what the memory of this machine gives. */
#include <stddef.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define WIDTH 16
#define COPY(a, b) _mm512_stream_ps(a, _mm512_load_ps(b))
#define TRIAD(a, b, c, s) _mm512_stream_ps(a, _mm512_fmadd_ps(_mm512_set1_ps(s), _mm512_load_ps(c), _mm512_load_ps(b)))
#elif defined(__AVX__)
#define WIDTH 8
#define COPY(a, b) _mm256_stream_ps(a, _mm256_load_ps(b))
#define TRIAD(a, b, c, s) \
    _mm256_stream_ps(a, _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(s), _mm256_load_ps(c)), _mm256_load_ps(b)))
#elif defined(__SSE__)
#define WIDTH 4
#define COPY(a, b) _mm_stream_ps(a, _mm_load_ps(b))
#define TRIAD(a, b, c, s) _mm_stream_ps(a, _mm_add_ps(_mm_mul_ps(_mm_set1_ps(s), _mm_load_ps(c)), _mm_load_ps(b)))
#else
#define WIDTH 1
#define COPY(a, b) (*(a) = *(b))
#define TRIAD(a, b, c, s) (*(a) = *(b) + (s) * *(c))
#endif

/* n is a multiple of 16, the arrays start at multiples of 64 bytes. */
void copy(float *a, const float *b, ptrdiff_t n)
{
#pragma omp parallel for schedule(static)
    for (ptrdiff_t i = 0; i < n; i += WIDTH)
        COPY(a + i, b + i);
}

void triad(float *a, const float *b, const float *c, float s, ptrdiff_t n)
{
#pragma omp parallel for schedule(static)
    for (ptrdiff_t i = 0; i < n; i += WIDTH)
        TRIAD(a + i, b + i, c + i, s);
}
