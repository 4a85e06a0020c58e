// Jumps over bytes that do not matter, sixteen at a time where the processor has SSE2 (every x86-64).
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace re::project {

/// The first place at or after `at` that holds one of the wanted bytes, else text.size().
template <char... Wanted>
std::size_t find_any(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    __m128i hits = _mm_setzero_si128();
    ((hits = _mm_or_si128(hits, _mm_cmpeq_epi8(block, _mm_set1_epi8(Wanted)))), ...);
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits));
    if (mask != 0) return at + static_cast<unsigned>(__builtin_ctz(mask));
  }
#endif
  for (; at < text.size(); ++at) {
    if (((text[at] == Wanted) || ...)) return at;
  }
  return text.size();
}

#if defined(__SSE2__)
/// A bit for each of the 16 places from `data` where "import" may stand: three of its letters fit.
inline unsigned import_candidates(const char* data) {
  const auto fits = [data](std::size_t offset, char letter) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + offset));
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(letter));
  };
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_and_si128(_mm_and_si128(fits(1, 'm'), fits(2, 'p')), fits(5, 't'))));
}
#endif

/// The first "import" at or after `at`, else text.size().
inline std::size_t find_import(std::string_view text, std::size_t at) {
  static constexpr std::string_view k_word = "import";
#if defined(__SSE2__)
  for (; at + 32 + k_word.size() <= text.size(); at += 32) {
    const char* data = text.data() + at;
    auto mask = import_candidates(data) | (import_candidates(data + 16) << 16U);
    for (; mask != 0; mask &= mask - 1) {
      const auto offset = static_cast<unsigned>(__builtin_ctz(mask));
      if (std::memcmp(data + offset, k_word.data(), k_word.size()) == 0) return at + offset;
    }
  }
#endif
  const auto found = text.find(k_word, at);
  return found == std::string_view::npos ? text.size() : found;
}

/// How many newlines [from, to) holds.
inline std::size_t count_newlines(std::string_view text, std::size_t from, std::size_t to) {
  std::size_t count = 0;
#if defined(__SSE2__)
  const __m128i newline = _mm_set1_epi8('\n');
  for (; from + 16 <= to; from += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    // Each hit is a byte 0xff, that is -1: the sum of absolute differences adds up to eight of them at once.
    const __m128i ones = _mm_sub_epi8(_mm_setzero_si128(), _mm_cmpeq_epi8(block, newline));
    const __m128i sums = _mm_sad_epu8(ones, _mm_setzero_si128());
    count += static_cast<std::size_t>(_mm_cvtsi128_si64(sums)) +
             static_cast<std::size_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
  }
#endif
  for (; from < to; ++from) count += text[from] == '\n' ? 1U : 0U;
  return count;
}

}  // namespace re::project
