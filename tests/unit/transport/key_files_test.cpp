#include "transport/key_files.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <fstream>
#include <tuple>

#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "transport/ssh2_key_file.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {
namespace {

class KeyFilesTest : public testing::Test {
 protected:
  std::string make_key(const std::string& type, const std::string& passphrase = "") {
    const std::string path = m_directory.path() / ("id_" + type + passphrase);
    const auto made =
        sys::run_captured({"ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "a comment", "-f", path});
    EXPECT_TRUE(made.status.succeeded()) << made.error;
    return path;
  }

  sys::TemporaryDirectory m_directory;
  KeyFiles m_files;
};

bool is_signature(std::string_view public_blob, std::string_view data, std::string_view signature) {
  WireReader reader(public_blob);
  reader.text();
  const auto raw = reader.text().value();
  const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key(
      ::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                    reinterpret_cast<const unsigned char*>(raw.data()), raw.size()),
      &::EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(),
                                                                          &::EVP_MD_CTX_free);
  return ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         ::EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), reinterpret_cast<const unsigned char*>(data.data()),
                            data.size()) == 1;
}

TEST_F(KeyFilesTest, signs_with_what_ssh_keygen_has_written) {
  const auto& entry = m_files.read(make_key("ed25519"));
  ASSERT_TRUE(entry.file && entry.key);
  EXPECT_EQ(entry.file->type, "ssh-ed25519");
  const auto signature = entry.key->sign("some data");
  ASSERT_TRUE(signature);
  EXPECT_TRUE(is_signature(entry.file->public_blob, "some data", *signature));
  EXPECT_FALSE(is_signature(entry.file->public_blob, "other data", *signature));
}

TEST_F(KeyFilesTest, leaves_other_types_and_encrypted_keys_to_libssh2) {
  for (const auto& path : {make_key("ecdsa"), make_key("rsa"), make_key("ed25519", "secret")}) {
    const auto& entry = m_files.read(path);
    ASSERT_TRUE(entry.file) << path;
    EXPECT_FALSE(entry.key) << path;
  }
}

TEST_F(KeyFilesTest, says_that_a_certificate_lies_beside_a_key) {
  const std::string path = make_key("ed25519");
  std::ofstream(path + "-cert.pub") << "whatever";
  EXPECT_TRUE(m_files.read(path).has_certificate);
  EXPECT_FALSE(m_files.read(m_directory.path() / "nothing").file);
}

TEST_F(KeyFilesTest, no_cut_or_changed_key_signs_or_breaks_anything) {
  const std::string text = sys::read_file(make_key("ed25519"));
  for (std::size_t size = 0; size < text.size() - 40; ++size) {
    EXPECT_FALSE(Ed25519Key::parse(text.substr(0, size))) << size;
  }
  std::string changed = text;
  for (std::size_t at = 40; at + 40 < text.size(); ++at) {
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    (void)Ed25519Key::parse(changed);
    changed[at] = text[at];
  }
}

TEST_F(KeyFilesTest, a_key_file_tells_its_form_type_and_encryption) {
  using Form = KeyFile::Form;
  const auto text_of = [](const std::string& path) { return sys::read_file(path); };
  for (const std::string type : {"ed25519", "rsa"}) {
    const auto plain = parse_key_file(text_of(make_key(type)));
    const auto encrypted = parse_key_file(text_of(make_key(type, "secret")));
    const auto half = parse_key_file(text_of(make_key(type, "other") + ".pub"));
    EXPECT_EQ(std::tuple(plain.form, encrypted.form, half.form),
              std::tuple(Form::private_key, Form::private_key, Form::public_key));
    EXPECT_EQ(std::tuple(plain.is_encrypted, encrypted.is_encrypted), std::tuple(false, true));
    EXPECT_EQ(std::tuple(plain.type, encrypted.type, half.type),
              std::tuple("ssh-" + type, "ssh-" + type, "ssh-" + type));
  }
  const auto pem = parse_key_file("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
  EXPECT_EQ(std::tuple(pem.form, pem.type, pem.is_encrypted), std::tuple(Form::private_key, "ssh-rsa", true));
  for (const auto* text : {"", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa ???", "a text of words"}) {
    EXPECT_EQ(parse_key_file(text).form, Form::unreadable) << text;
  }
}

TEST_F(KeyFilesTest, what_a_key_file_does_not_tell_its_neighbour_adds) {
  const std::string path = make_key("rsa");
  ASSERT_TRUE(
      sys::run_captured({"ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-f", path}).status.succeeded());
  const auto key = read_key_file(path).value();
  EXPECT_EQ(key.form, KeyFile::Form::private_key);
  EXPECT_EQ(key.public_blob, parse_public_key(sys::read_file(path + ".pub")).public_blob);
  EXPECT_FALSE(key.public_blob.empty());
  EXPECT_FALSE(read_key_file(path + ".gone"));
}

TEST(KeyTypeTest, token_keys_and_certificates_are_known_by_name) {
  EXPECT_TRUE(is_token_key("sk-ssh-ed25519@openssh.com"));
  EXPECT_TRUE(is_token_key("webauthn-sk-ecdsa-sha2-nistp256@openssh.com"));
  EXPECT_FALSE(is_token_key("ssh-ed25519"));
  EXPECT_TRUE(is_certificate("ssh-ed25519-cert-v01@openssh.com"));
  EXPECT_FALSE(is_certificate("ssh-ed25519"));
}

}  // namespace
}  // namespace re::transport
