#include "project/byte_search.hpp"

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace re::project {

namespace {

constexpr std::string_view k_import = "import";

bool crosses_lines(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return false;
  const char next = text[at + 1];
  if (text[at] == '\\') return next == '\n';
  if (next != '"' && next != '\'') return false;
  const char letter = static_cast<char>(text[at] | 0x20);
  const bool tripled = at + 2 < text.size() && text[at] == next && text[at + 2] == next;
  return tripled || letter == 'f' || letter == 't' || letter == 'r';
}

#if defined(__SSE2__)

namespace sse2 {
#define RE_TARGET
using Block = __m128i;
constexpr std::size_t k_width = sizeof(Block);
inline Block load(const char* data) {
  return _mm_loadu_si128(reinterpret_cast<const Block*>(data));
}
inline Block is(Block block, char byte) {
  return _mm_cmpeq_epi8(block, _mm_set1_epi8(byte));
}
inline Block same(Block a, Block b) {
  return _mm_cmpeq_epi8(a, b);
}
inline Block both(Block a, Block b) {
  return _mm_and_si128(a, b);
}
inline Block either(Block a, Block b) {
  return _mm_or_si128(a, b);
}
inline Block lower(Block block) {
  return _mm_or_si128(block, _mm_set1_epi8(0x20));
}
inline std::uint64_t mask(Block block) {
  return static_cast<unsigned>(_mm_movemask_epi8(block));
}
// Each hit is a byte 0xff, that is -1: the sum of absolute differences adds up eight of them at once.
inline std::size_t ones(Block hits) {
  const Block sums = _mm_sad_epu8(_mm_sub_epi8(_mm_setzero_si128(), hits), _mm_setzero_si128());
  return static_cast<std::size_t>(_mm_cvtsi128_si64(sums)) +
         static_cast<std::size_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
}
#include "project/byte_search_loops.inc"
#undef RE_TARGET
}  // namespace sse2

namespace avx2 {
// Every processor with AVX2 has popcnt too.
#define RE_TARGET __attribute__((target("avx2,popcnt")))
using Block = __m256i;
constexpr std::size_t k_width = sizeof(Block);
RE_TARGET inline Block load(const char* data) {
  return _mm256_loadu_si256(reinterpret_cast<const Block*>(data));
}
RE_TARGET inline Block is(Block block, char byte) {
  return _mm256_cmpeq_epi8(block, _mm256_set1_epi8(byte));
}
RE_TARGET inline Block same(Block a, Block b) {
  return _mm256_cmpeq_epi8(a, b);
}
RE_TARGET inline Block both(Block a, Block b) {
  return _mm256_and_si256(a, b);
}
RE_TARGET inline Block either(Block a, Block b) {
  return _mm256_or_si256(a, b);
}
RE_TARGET inline Block lower(Block block) {
  return _mm256_or_si256(block, _mm256_set1_epi8(0x20));
}
RE_TARGET inline std::uint64_t mask(Block block) {
  return static_cast<unsigned>(_mm256_movemask_epi8(block));
}
RE_TARGET inline std::size_t ones(Block hits) {
  return static_cast<std::size_t>(__builtin_popcountll(mask(hits)));
}
#include "project/byte_search_loops.inc"
#undef RE_TARGET
}  // namespace avx2

#endif

}  // namespace

// Where a loop found something, the scalar form sees it at once; else it reads what is left of the text.

std::size_t find_import(std::string_view text, std::size_t at, [[maybe_unused]] Lanes lanes) {
#if defined(__SSE2__)
  if (lanes == Lanes::avx2) at = avx2::to_import(text, at);
  if (lanes == Lanes::sse2) at = sse2::to_import(text, at);
#endif
  const auto found = text.find(k_import, at);
  return found == std::string_view::npos ? text.size() : found;
}

std::size_t find_line_crosser(std::string_view text, std::size_t at, std::size_t to,
                              [[maybe_unused]] Lanes lanes) {
#if defined(__SSE2__)
  if (lanes == Lanes::avx2) at = avx2::to_line_crosser(text, at, to);
  if (lanes == Lanes::sse2) at = sse2::to_line_crosser(text, at, to);
#endif
  while (at < to && !crosses_lines(text, at)) ++at;
  return at;
}

std::size_t count_newlines(std::string_view text, std::size_t from, std::size_t to,
                           [[maybe_unused]] Lanes lanes) {
  std::size_t count = 0;
#if defined(__SSE2__)
  if (lanes == Lanes::avx2) from = avx2::over_newlines(text, from, to, count);
  if (lanes == Lanes::sse2) from = sse2::over_newlines(text, from, to, count);
#endif
  for (; from < to; ++from) count += text[from] == '\n' ? 1U : 0U;
  return count;
}

}  // namespace re::project
