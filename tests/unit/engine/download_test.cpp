#include "re/engine/download.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "re/base/error.hpp"

namespace re::engine {
namespace {

TEST(Download, the_name_is_the_last_component_of_the_path) {
  EXPECT_EQ(parse_download("https://example.org/a/b.tar.gz").name, "b.tar.gz");
  EXPECT_EQ(parse_download("http://example.org/a%20b.csv?x=/1/2#part").name, "a b.csv");
  EXPECT_EQ(parse_download("FTP://example.org/100%").name, "100%");
  EXPECT_EQ(parse_download("http://example.org/f#part").url, "http://example.org/f");
}

TEST(Download, a_sum_may_stand_behind_the_url) {
  const std::string sum(64, 'A');
  EXPECT_EQ(parse_download("https://h/f#sha256=" + sum).sha256, std::string(64, 'a'));
  EXPECT_THROW(parse_download("https://h/f#sha256=12"), Error);
  EXPECT_THROW(parse_download("https://h/f#sha256=" + std::string(64, 'g')), Error);
}

TEST(Download, what_is_no_url_or_names_no_file_is_refused) {
  for (const char* const text :
       {"", "file", "-x", "file:///etc/passwd", "https://example.org", "https://example.org/",
        "https://example.org/a/", "https://h/..", "https://h/%2e%2e", "https://h/a%2fb", "https://h/a%0ab",
        "https://h/a b", "https://h/a\nb", "gopher://h/f", "https://h/?f"}) {
    EXPECT_THROW(parse_download(text), Error) << text;
  }
}

TEST(Download, two_urls_for_one_file_are_refused) {
  model::JobSpec spec{.id = *JobId::parse(std::string(26, '0'))};
  const std::vector<Download> downloads = {parse_download("https://h/f"), parse_download("https://g/f")};
  EXPECT_THROW(set_download(spec, downloads, Existing::keep), Error);
}

}  // namespace
}  // namespace re::engine
