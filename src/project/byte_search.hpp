// Jumps over bytes that do not matter, sixteen or thirty-two at a time where the processor can.
#pragma once

#include <cstddef>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace re::project {

/// How many bytes are looked at together. Every x86-64 has SSE2; AVX2 is asked for at run time; other
/// processors go byte by byte. All give the same answers.
enum class Lanes { one, sse2, avx2 };

inline bool has_lanes([[maybe_unused]] Lanes lanes) {
#if defined(__SSE2__)
  return lanes != Lanes::avx2 || __builtin_cpu_supports("avx2") != 0;
#else
  return lanes == Lanes::one;
#endif
}
inline Lanes widest_lanes() {
  return has_lanes(Lanes::avx2) ? Lanes::avx2 : has_lanes(Lanes::sse2) ? Lanes::sse2 : Lanes::one;
}

/// The first "import" at or after `at`, else text.size().
std::size_t find_import(std::string_view text, std::size_t at, Lanes lanes = widest_lanes());

/// The first place in [at, to) from which on a line of Python may hold a string that ends on another line;
/// some place at or after `to` when there is none. Such places are a tripled quote, a backslash before a
/// newline, and a quote after f, t or r in either case (the replacement fields of an f-string may hold
/// newlines).
std::size_t find_line_crosser(std::string_view text, std::size_t at, std::size_t to,
                              Lanes lanes = widest_lanes());

/// How many newlines [from, to) holds.
std::size_t count_newlines(std::string_view text, std::size_t from, std::size_t to,
                           Lanes lanes = widest_lanes());

/// The first place at or after `at` that holds one of the wanted bytes, else text.size(). For short ways: it
/// is inlined, and has no wider form.
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

/// The first place at or after `at` that holds no space, else text.size().
inline std::size_t skip_spaces(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const auto spaces = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(' '))));
    if (spaces != 0xffffU) return at + static_cast<unsigned>(__builtin_ctz(~spaces));
  }
#endif
  while (at < text.size() && text[at] == ' ') ++at;
  return at;
}

}  // namespace re::project
