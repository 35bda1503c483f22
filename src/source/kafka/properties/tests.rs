use std::io::Write;

use super::*;

fn from_file(text: &str) -> Result<ClientProperties, PropertiesError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    client_properties(&KafkaSettings { properties_file: Some(file.path().to_owned()), ..KafkaSettings::default() })
}

#[test]
fn later_layers_win() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "# kcat\nbootstrap.servers=a:1\nsasl.mechanism = PLAIN\nsasl.password=back\\slash = kept").unwrap();
    let settings = KafkaSettings {
        bootstrap: Some("b:2".into()),
        properties_file: Some(file.path().to_owned()),
        properties: [("sasl.mechanisms".to_owned(), "SCRAM-SHA-512".to_owned())].into(),
        password_command: None,
    };
    let properties = client_properties(&settings).unwrap();
    assert_eq!(properties.bootstrap(), "b:2");
    assert_eq!(properties.get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
    assert_eq!(properties.get("sasl.password"), Some("back\\slash = kept"));
    let command = ["sh", "-c", "echo hush; echo more"].map(str::to_owned).to_vec();
    let properties = client_properties(&KafkaSettings { password_command: Some(command), ..settings }).unwrap();
    assert_eq!(properties.get("sasl.password"), Some("hush"));
}

#[test]
fn java_names_are_translated() {
    let properties = from_file(
        "bootstrap.servers : one:9093,two:9093\n\
         security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n\
         \x20   username=\"app\" \\\n    password=\"p\\\\\"w;\\u0041\";\n\
         ssl.truststore.type=PEM\nssl.truststore.location=/etc/ca.pem\nssl.endpoint.identification.algorithm=\n\
         key.deserializer=org.apache.kafka.common.serialization.StringDeserializer\n",
    )
    .unwrap();
    assert_eq!(properties.bootstrap(), "one:9093,two:9093");
    assert_eq!(properties.get("sasl.username"), Some("app"));
    assert_eq!(properties.get("sasl.password"), Some("p\"w;A"));
    assert_eq!(properties.get("ssl.ca.location"), Some("/etc/ca.pem"));
    assert_eq!(properties.get("ssl.endpoint.identification.algorithm"), Some("none"));
    assert_eq!(properties.get("key.deserializer"), None);
}

#[test]
fn java_token_logins_are_translated() {
    let properties = from_file(
        "bootstrap.servers=k:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n\
         sasl.oauthbearer.token.endpoint.url=https://id/token\n\
         sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
         clientId='me' clientSecret='hush' scope='kafka';\n",
    )
    .unwrap();
    assert_eq!(properties.get("sasl.oauthbearer.method"), Some("oidc"));
    assert_eq!(properties.get("sasl.oauthbearer.client.secret"), Some("hush"));
    assert_eq!(properties.get("sasl.oauthbearer.token.endpoint.url"), Some("https://id/token"));
}

#[test]
fn what_cannot_be_used_says_what_to_do() {
    for (text, part) in [
        ("", "no Kafka address"),
        ("nonsense", "line 1 of"),
        ("bootstrap.servers=a:1\nno.such.name=1", "\"no.such.name\""),
        ("bootstrap.servers=a:1\nsecurity.protocol=sassl", "\"security.protocol\""),
        ("ssl.truststore.location=/x.jks", "keytool -exportcert"),
        ("ssl.keystore.location=/x.jks\nssl.keystore.type=JKS", "PKCS12"),
        ("sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required;", "Kerberos"),
        ("sasl.mechanism=GSSAPI", "Kerberos"),
        ("sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;", "AWS IAM"),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text:?} gave {error:?}");
    }
}

#[test]
fn secrets_are_in_no_text() {
    let text =
        "bootstrap.servers=a:1\nsasl.password=hunter2\nssl.key.pem=hunter2\nsasl.oauthbearer.client.secret=hunter2";
    let properties = from_file(text).unwrap();
    assert!(!format!("{properties:?}").contains("hunter2"));
    let command = ["sh", "-c", "echo hunter2; exit 3"].map(str::to_owned).to_vec();
    let settings = KafkaSettings { password_command: Some(command), ..KafkaSettings::default() };
    let error = client_properties(&settings).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(error.to_string().contains("exit status: 3"), "{error}");
}

#[test]
fn password_commands_fail_with_words() {
    for (command, part) in [
        (vec![], "is empty"),
        (vec!["/no/such/program"], "does not start"),
        (vec!["true"], "printed nothing"),
        (vec!["sh", "-c", "echo locked >&2; exit 1"], "locked"),
    ] {
        let command = command.into_iter().map(str::to_owned).collect();
        let settings = KafkaSettings { password_command: Some(command), ..KafkaSettings::default() };
        let error = client_properties(&settings).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
