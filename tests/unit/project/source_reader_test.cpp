#include "project/source_reader.hpp"

#include <gtest/gtest.h>

#include <string>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"

namespace {

using re::project::SourceReader;

TEST(SourceReader, files_of_any_size_are_read_whole_one_after_the_other) {
  const re::sys::TemporaryDirectory root;
  SourceReader reader(root.path());
  for (const std::size_t size : {3U, 0U, 262'143U, 262'144U, 262'145U, 1'500'000U, 5U}) {
    std::string text;
    while (text.size() < size) text += static_cast<char>('a' + text.size() % 23);
    re::sys::write_file_atomic(root.path() / "x.py", text);
    EXPECT_EQ(reader.read("x.py"), text) << size;
  }
}

TEST(SourceReader, what_cannot_be_read_is_named) {
  const re::sys::TemporaryDirectory root;
  re::sys::write_file_atomic(root.path() / "large.py", "");
  std::filesystem::resize_file(root.path() / "large.py", (std::size_t{64} << 20U) + 1);
  re::sys::ensure_private_directory(root.path() / "a.py");
  const auto problem = [&](const std::filesystem::path& directory, const std::string& path) {
    try {
      SourceReader(directory).read(path);
    } catch (const re::Error& error) {
      return error.message();
    }
    return std::string();
  };
  const std::string name = root.path().string();
  EXPECT_EQ(problem(root.path(), "no.py"), "cannot open " + name + "/no.py: No such file or directory");
  EXPECT_NE(problem(root.path(), "a.py").find("Is a directory"), std::string::npos);
  EXPECT_EQ(problem(root.path(), "large.py"), name + "/large.py is larger than 67108864 bytes");
  EXPECT_EQ(problem(root.path() / "gone", "b.py"),
            "cannot open " + name + "/gone/b.py: No such file or directory");
}

}  // namespace
