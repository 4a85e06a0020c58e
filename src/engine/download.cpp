#include "re/engine/download.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "engine/scripts.hpp"
#include "re/base/error.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"

namespace re::engine {

namespace {

constexpr std::size_t k_sha256_digits = 64;
constexpr std::size_t k_longest_name = 250;  // ".part" is put behind it, and 255 bytes is the usual limit

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// RFC 3986, 2.1; what is no escape stays as it is.
std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (!low) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return decoded;
}

bool is_name(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.size() > k_longest_name) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '/' || byte < 0x20 || byte == 0x7f;
  });
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

bool is_blank_or_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7f;
}

bool has_known_scheme(std::string_view url) {
  constexpr std::array<std::string_view, 4> k_schemes = {"http", "https", "ftp", "ftps"};
  const auto end = url.find("://");
  if (end == std::string_view::npos) return false;
  return std::find(k_schemes.begin(), k_schemes.end(), to_lower(url.substr(0, end))) != k_schemes.end();
}

}  // namespace

Download parse_download(std::string_view text) {
  const auto hash = text.find('#');
  Download download{std::string(text.substr(0, hash)), {}, {}};
  const std::string_view url = download.url;
  if (!has_known_scheme(url) || std::any_of(url.begin(), url.end(), is_blank_or_control)) {
    throw Error(ErrorKind::usage, "not an http, https or ftp URL: \"" + std::string(text) + "\"");
  }
  const auto host = url.find("://") + 3;
  const auto query = url.find('?');
  const auto slash = url.substr(0, query).rfind('/');
  if (slash != std::string_view::npos && slash >= host)
    download.name =
        decode(url.substr(slash + 1, query == std::string_view::npos ? query : query - slash - 1));
  if (!is_name(download.name))
    throw Error(ErrorKind::usage, "the URL " + download.url + " does not end in a file's name");
  if (hash == std::string_view::npos) return download;
  constexpr std::string_view k_sum = "sha256=";
  const auto fragment = text.substr(hash + 1);
  if (!fragment.starts_with(k_sum)) return download;  // a fragment is never sent
  download.sha256 = to_lower(fragment.substr(k_sum.size()));
  const bool is_sum = download.sha256.size() == k_sha256_digits &&
                      std::all_of(download.sha256.begin(), download.sha256.end(), hex_digit);
  if (!is_sum)
    throw Error(ErrorKind::usage, "#sha256= takes 64 hex digits, in \"" + std::string(text) + "\"");
  return download;
}

void set_download(model::JobSpec& spec, std::span<const Download> downloads, Existing existing) {
  std::vector<std::string> words = {"re_download", existing == Existing::keep ? "keep" : "again"};
  std::vector<std::string> shown = {"re", "data"};
  std::set<std::string_view> names;
  for (const auto& download : downloads) {
    if (!names.insert(download.name).second)
      throw Error(ErrorKind::usage, "two of the URLs are for data/" + download.name);
    words.insert(words.end(), {download.name, download.url, download.sha256.empty() ? "-" : download.sha256});
    shown.push_back(download.url);
  }
  std::string script(scripts::download);
  script += shell_join(words) + "\n";
  model::set_own_script(spec, "DOWNLOAD", std::move(script), shown);
}

}  // namespace re::engine
