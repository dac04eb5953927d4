dstore_layer(sign
  SOURCES sign/allowed_signers.cc sign/base64.cc sign/ed25519.cc sign/mac.cc sign/principal.cc sign/signature_object.cc
          sign/signing_config.cc sign/ssh_key.cc sign/ssh_private_key.cc sign/sshsig.cc sign/trust.cc sign/trust_files.cc
  LINK OpenSSL::Crypto)
