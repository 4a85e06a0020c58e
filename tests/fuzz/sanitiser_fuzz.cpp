// Logs, in pieces of any size: what comes out holds no control sequence but colours.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "re/ui/sanitiser.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  re::ui::Sanitiser sanitiser(re::ui::Sgr::drop);
  std::string clean;
  const std::size_t piece = text.empty() ? 1 : static_cast<unsigned char>(text[0]) % 7 + 1;
  for (std::size_t at = 0; at < text.size(); at += piece) clean += sanitiser.feed(text.substr(at, piece));
  clean += sanitiser.finish();
  if (clean.find('\x1b') != std::string::npos) std::abort();
  return 0;
}
