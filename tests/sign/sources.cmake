dstore_test(sign
  SOURCES sign/allowed_signers_test.cc sign/base64_test.cc sign/ed25519_test.cc sign/signing_config_test.cc
          sign/ssh_key_test.cc sign/ssh_keygen_test.cc sign/sshsig_test.cc sign/trust_test.cc
  LINK dstore_sign dstore_base)
