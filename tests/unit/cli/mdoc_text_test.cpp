#include "cli/mdoc_text.hpp"

#include <gtest/gtest.h>

#include "cli/command.hpp"
#include "cli/manual.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"

namespace {

using re::cli::mdoc_to_text;

std::string page(const std::string& name) {
  const std::string text = re::sys::read_file(std::string(RE_SOURCE_DIR) + "/man/" + name);
  return name == "re.1.in" ? re::cli::manual_page(text) : text;
}

TEST(MdocTextTest, macros_become_what_a_reader_types) {
  EXPECT_EQ(mdoc_to_text(".Sh OPTIONS\n.Fl i , Fl \\-instance Ar NAME\n"),
            "\nOPTIONS\n     -i, --instance NAME\n");
  EXPECT_EQ(mdoc_to_text(".Fl \\-color Ns = Ns Ar WHEN\n"), "--color=WHEN\n");
  EXPECT_EQ(mdoc_to_text(".Ar path Ns Op , Ns Ar path ...\n"), "path[,path ...]\n");
  EXPECT_EQ(mdoc_to_text("see\n.Xr ssh 1 ,\n.Pa \\(ti/x\n.Pq a\n"), "see ssh(1), ~/x (a)\n");
  EXPECT_EQ(mdoc_to_text("a\n.Ql %% .\nb\n.Ql . ,\nc\n"), "a '%%'. b '.', c\n");
}

TEST(MdocTextTest, lists_examples_and_sections_keep_their_shape) {
  EXPECT_EQ(
      mdoc_to_text(".Dt X 1\n.Sh A\n.Bl -tag -width Ds\n.It Xo\n.Cm go\n.Op Ar far\n.Xc\ntext\n"
                   ".Bl -enum\n.It\none\n.It\ntwo\n.El\n.El\nafter\n.Bd -literal\n  a   b\n.Ed\n.Dl c\n"),
      "X(1)\n\nA\n     go [far]\n           text\n           1. one\n           2. two\n     after\n"
      "             a   b\n           c\n");
}

TEST(MdocTextTest, no_macro_and_no_escape_of_our_pages_is_left) {
  for (const char* name : {"re.1.in", "re.conf.5"}) {
    const std::string text = mdoc_to_text(page(name));
    for (const auto line : re::split_lines(text)) {
      EXPECT_LT(line.size(), 80U) << line;
      EXPECT_FALSE(line.starts_with('.')) << line;
      EXPECT_EQ(line.find('\\'), std::string_view::npos) << line;
      for (const auto word : re::split_words(line)) {
        const bool is_macro = word == "Ar" || word == "Cm" || word == "Fl" || word == "Ns" || word == "Op" ||
                              word == "No" || word == "Xo" || word == "Xc" || word == "Pa" || word == "Ql";
        EXPECT_FALSE(is_macro) << line;
      }
    }
  }
}

TEST(MdocTextTest, no_word_of_a_page_is_lost) {
  const std::string text = mdoc_to_text(page("re.1.in"));
  for (const auto& command : re::cli::commands())
    EXPECT_NE(text.find("\n     re " + std::string(command.name) + " [options]"), std::string::npos)
        << command.name;
  for (const char* section : {"NAME", "JOB STATES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"})
    EXPECT_NE(text.find("\n" + std::string(section) + "\n"), std::string::npos) << section;
}

}  // namespace
